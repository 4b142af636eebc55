"""A prompt of very many chunks takes little more memory than its result, and the same numbers."""

import subprocess
import sys

import pytest
import torch

from clipcond import Conditioner
from clipcond.conditioning import cache
from clipcond.towers import TowerOutput
from clipcond.weighting import WEIGHTINGS, by_chunk
from tests.failures import failures_of
from tests.parity.models import tower_l

PROGRAM = """
import os
import resource

import torch

from clipcond import Conditioner, load_tower
from clipcond.towers import TowerOutput

torch.set_num_threads(1)
N = 400
DIFFERENT = [f"(a cat {i // 40} {i % 40}:1.{i % 7 + 1})" for i in range(N)]
CASES = {
    "plain": ("a BREAK " * N, {}),
    "weighted": ("(a:1.2) BREAK " * N, {}),
    "different": (" BREAK ".join(DIFFERENT).replace("(", "").replace(")", ""), {}),
    "without breaks": (" ".join(f"{i:05d}" for i in range(12 * N)), {}),
    **{
        rule: (" BREAK ".join(DIFFERENT), {"weighting": rule})
        for rule in ("scale_mean", "lerp", "lerp_last", "scale_mean_prompt")
    },
    "half": (" BREAK ".join(DIFFERENT), {}),
    "masked padding": (" BREAK ".join(DIFFERENT), {}),
    "negative": ("a", {}),
}


class Stub:
    \"\"\"A tower whose states cost no memory besides themselves.\"\"\"

    def __init__(self, like, dtype, masks):
        self.name, self.depth, self.width, self.dtype = "stub", 1, 1280, dtype
        self.tokenizer, self.device = like.tokenizer, torch.device("cpu")
        self.special = like.special if not masks else masking(like.special)
        self.table = torch.rand(like.special.context_length, self.width).to(dtype)

    def fingerprint(self):
        return 0

    def encode(self, input_ids, attention_mask, layer, *, pooled=False):
        return TowerOutput(self.table.expand(len(input_ids), *self.table.shape))


def masking(special):
    from dataclasses import replace
    return replace(special, mask_padding=True)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(name, prompt, choices, like):
    tower = Stub(like, torch.float16 if name == "half" else torch.float32, name == "masked padding")
    conditioner = Conditioner(tower, **{"cache_bytes": 0, **choices})
    def encoded(n):  # from the first n characters: the code is in memory before it counts
        if name != "negative":
            return conditioner(prompt[:n]).embeds.nbytes
        pair = conditioner.guided("a", ("(b:1.2) BREAK " * N)[:n])
        return pair.positive.embeds.nbytes + pair.negative.embeds.nbytes

    encoded(1000)
    before = peak()
    n_bytes = encoded(10**9)
    print(f"{(peak() - before) / n_bytes:.3f} {name}", flush=True)


like = load_tower("embedded")
for name, (prompt, choices) in CASES.items():
    child = os.fork()  # the peak of a process only rises
    if not child:
        measure(name, prompt, choices, like)
        os._exit(0)
    os.waitpid(child, 0)
"""
N_CASES = 11
LIMITS = {"without breaks": 1.35}  # the tokenizer's own memory for a text of 60 kB in one piece


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in kB on Linux only")
def test_thousands_of_chunks_peak_at_little_more_than_the_result():
    program = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    done = subprocess.run(program, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    found = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert len(found) == N_CASES, done.stderr
    assert not [(peak, name) for peak, name in found if not float(peak) < LIMITS.get(name, 1.2)]


class Counting:
    """A tower whose states of a token depend on that token alone, and that counts its calls."""

    def __init__(self):
        like = tower_l()
        self.name, self.depth, self.width, self.dtype = "counting", 1, 32, torch.float32
        self.tokenizer, self.special, self.device = like.tokenizer, like.special, like.device
        self.table = torch.randn(50_000, 32, generator=torch.Generator().manual_seed(0)) + 0.3
        self.calls = []

    def fingerprint(self):
        return 0

    def encode(self, input_ids, attention_mask, layer, *, pooled=False):
        self.calls.append(len(input_ids))
        hidden = self.table[input_ids]
        if attention_mask is not None:
            hidden = hidden * attention_mask.unsqueeze(-1)
        return TowerOutput(hidden, hidden.mean(dim=1) if pooled else None)


LONG = " BREAK ".join(f"a {i} (red cat:{0.5 + i % 5 / 4}) [dog {i % 3}]" for i in range(12))
PROMPTS = [
    *("a cat", "(a:1.2) cat", "(a:1.2) BREAK " * 9, LONG),
    *("(all:1.3) " * 300, "plain " * 300 + "(one:1.5)", "BREAK BREAK x"),
]


@pytest.mark.slow
def test_small_tower_calls_change_no_bit(monkeypatch):
    different = []
    for name, rule in WEIGHTINGS.items():
        results = []
        for n_at_once in (1000, 7, 2):
            monkeypatch.setattr(cache, "BATCH_BYTES", n_at_once * 77 * 32 * 4 * cache.ACTIVATIONS)
            tower, n_bytes = Counting(), 0 if n_at_once == 7 else 2**28
            conditioner = Conditioner(tower, weighting=rule, pooled=True, cache_bytes=n_bytes)
            made = [conditioner(prompt) for prompt in PROMPTS]
            made += conditioner.guided(PROMPTS, [*PROMPTS[1:], ""]).positive.split()
            assert max(tower.calls) <= n_at_once
            results.append(made)
        for prompt, first, *others in zip([*PROMPTS, *PROMPTS], *results, strict=True):
            same = all(
                torch.equal(first.embeds, other.embeds) and torch.equal(first.pooled, other.pooled)
                for other in others
            )
            different += [] if same else [(name, prompt[:30])]

    assert not different


def test_a_tower_that_takes_one_chunk_at_a_time_changes_no_bit(monkeypatch):
    prompts = [" BREAK ".join(f"(a {i}:1.{i})" for i in range(n)) for n in (2, 3, 5)]

    def check(rule):
        expected = [Conditioner(Counting(), weighting=rule)(prompt).embeds for prompt in prompts]
        with monkeypatch.context() as small:
            small.setattr(cache, "BATCH_BYTES", 1)
            tower = Counting()
            for prompt, embeds in zip(prompts, expected, strict=True):
                assert torch.equal(Conditioner(tower, weighting=rule)(prompt).embeds, embeds)
            assert set(tower.calls) == {1}

    assert not failures_of(check, WEIGHTINGS)


def test_prompts_beyond_one_tower_call_share_the_next(monkeypatch):
    monkeypatch.setattr(cache, "BATCH_BYTES", 10 * 77 * 32 * 4 * cache.ACTIVATIONS)
    tower = Counting()

    Conditioner(tower, cache_bytes=0).guided([f"cat {i}" for i in range(25)], "blurry")

    assert tower.calls in ([10, 10, 6], [10, 10, 7])  # the negative, perhaps once again


def test_a_rule_that_is_marked_sees_a_long_prompt_in_parts(monkeypatch):
    monkeypatch.setattr(cache, "BATCH_BYTES", 20 * 77 * 32 * 4 * cache.ACTIVATIONS)
    seen = []

    def halved(chunks, encode):
        seen.append(len(chunks))
        return TowerOutput(encode(chunks).hidden * 0.5)

    long = " BREAK ".join(f"cat {i}" for i in range(50))
    whole = Conditioner(Counting(), weighting=halved)(long).embeds
    assert seen == [50]
    parts = Conditioner(Counting(), weighting=by_chunk(halved))(long).embeds

    assert seen[1:] == [4] * 11 + [6]
    assert torch.equal(parts, whole)
    assert Conditioner(Counting(), weighting=halved)("a cat").embeds.shape == (1, 77, 32)
    assert seen[-1] == 1
