"""Dialect compel's text side against compel 2.5.1: parses, ids and weights, equal.

Left out: nothing. One prompt is refused by the reference, and by ours with a caret. Two come to
nothing, which the reference cannot encode: ours has the empty chunk for them.
"""

from dataclasses import replace
from functools import lru_cache

import pytest
import torch

from clipcond import Conditioner
from clipcond.chunking import chunk, hard, phrases, sentences, tokenize, words
from clipcond.conditioning.dialects import DIALECTS
from clipcond.conditioning.plan import Cutter
from clipcond.errors import PromptSyntaxError
from clipcond.prompt import ParsedPrompt, parse
from clipcond.prompt.segments import Lora, Segment, Swap
from tests.failures import failures_of
from tests.parity.golden import cases_of
from tests.parity.models import tower_l

GOLDEN = cases_of("compel")
CASES = GOLDEN["cases"]
READABLE = [case for case in CASES if "error" not in case["parsed"]]
SPLITTERS = {
    "chunks": sentences,
    "chunks_phrases": phrases,
    "chunks_words": words,
    "chunks_brutal": hard,
}
# .swap()'s options as the reference fills them up; ours keeps those that are written
DEFAULTS = {"s_start": 0.0, "s_end": 0.0, "t_start": 0.2, "t_end": 1.0}

# golden prompts have unclosed brackets, other dialects' weights, networks: we warn, as tested
pytestmark = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")

tower = lru_cache(tower_l)


def failures(check):
    return failures_of(check, READABLE, name=lambda case: case["id"])


def test_the_golden_data_is_all_there():
    assert (len(CASES), len(READABLE), len(GOLDEN["pairs"])) == (126, 125, 7)
    known = {"id", "prompt", "parsed", "encode_shape", "encode_error", "chunks_truncated"}
    assert {key for case in CASES for key in case} == {*known, *SPLITTERS}


def expected_parse(parsed: ParsedPrompt) -> dict:
    """A parse as the reference's JSON has it."""
    mixture = parsed.mixture
    loras = [[e.name, e.weight] for e in parsed.extras if isinstance(e, Lora)]
    if mixture is None:
        prompts = [flat(parsed)] if parsed.segments else []
        return {"prompts": prompts, "weights": [1.0] * len(prompts), "loras": loras}
    members = [flat(member) for member in mixture.prompts]
    weights = list(mixture.weights)
    if mixture.mode != "join":
        normalize = mixture.mode == "mean"
        blend = {"type": "blend", "weights": weights, "normalize": normalize, "prompts": members}
        members, weights = [blend], [1.0]
    return {"prompts": members, "weights": weights, "loras": loras}


def flat(parsed: ParsedPrompt) -> dict:
    fragments: list[object] = []
    for part in parsed.segments:
        swaps = [e for e in parsed.extras if isinstance(e, Swap) and e.start <= part.start < e.stop]
        fragments.append(fragment(part, swaps[0] if swaps else None))
    return {"type": "prompt", "fragments": fragments}


def fragment(part: Segment, swap: Swap | None) -> object:
    if swap is None:
        return [part.text, part.weight]
    options = {**DEFAULTS, **dict(swap.options)}
    edited = [[each.text, each.weight] for each in swap.replacement]
    original = [[part.text, part.weight]]
    return {"swap": {"original": original, "edited": edited, "options": options}}


def test_parse():
    def check(case):
        assert expected_parse(parse(case["prompt"], "compel")) == case["parsed"]

    assert not failures(check)


def test_what_the_reference_cannot_read_is_refused_with_a_caret():
    (case,) = (case for case in CASES if case not in READABLE)

    with pytest.raises(PromptSyntaxError) as error:
        parse(case["prompt"], "compel")
    assert str(error.value) == (
        "there is text behind .blend()\n"
        '  ("a","b").blend(1,1) tail\n'
        "                       ^\n"
        "A blend is a whole prompt: put this inside one of its prompts."
    )


def shown(chunks) -> list[dict]:
    """As the reference's JSON has them: weights in float32, which is seven digits."""
    weights = [torch.tensor(c.weights, dtype=torch.float32).tolist() for c in chunks]
    rows = [[float(f"{weight:.7g}") for weight in row] for row in weights]
    return [{"ids": list(c.input_ids), "weights": w} for c, w in zip(chunks, rows, strict=True)]


def expected_chunks(case: dict, key: str) -> list[list[dict]]:
    """Those of the data, which has them only where they differ from `chunks`.

    None at all where the reference has no prompt: there ours are those of the empty prompt.
    """
    empty = Conditioner(tower(), dialect="compel").chunks("")
    return case.get(key, case["chunks"]) or [shown(empty)]


@pytest.mark.parametrize("key", SPLITTERS)
def test_chunks(key):
    special, tokenizer = tower().special, tower().tokenizer

    def check(case):
        members = parse(case["prompt"], "compel").members
        ours = [shown(chunk(tokenize(m, tokenizer), special, SPLITTERS[key])) for m in members]
        assert ours == expected_chunks(case, key)

    assert not failures(check)


def test_chunks_cut_to_one():
    dialect = replace(DIALECTS["compel"], splitter=hard, max_chunks=1)

    cutter = Cutter(tower(), tower().tokenizer, tower().special, dialect)

    def check(case):
        members = parse(case["prompt"], "compel").members
        ours = [shown(cutter.chunks(member)) for member in members]
        assert ours == expected_chunks(case, "chunks_truncated")

    assert not failures(check)
