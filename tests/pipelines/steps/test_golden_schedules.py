"""Schedules of the reference's own data reach the UNet at the right call."""

import pytest
import torch
from diffusers import DDIMScheduler

from clipcond import attach, compose, schedule
from clipcond.prompt.composition import find_parts, is_capitals
from tests.failures import failures_of
from tests.parity.golden import cases_of
from tests.pipelines.models import WIDTH, tiny_sd
from tests.pipelines.steps.stubs import Recorder

GOLDEN = cases_of("a1111")
CASES = [case for case in GOLDEN["cases"] if "error" not in str(case["parsed"])]  # one is refused


@pytest.fixture(scope="module")
def pipe():
    pipe = tiny_sd(scheduler=DDIMScheduler(steps_offset=1))
    pipe.unet = Recorder(pipe.unet)
    return attach(pipe, extra_networks=False)  # the data has them as text


def seen(pipe, prompt, negative, n_steps):
    pipe.unet.seen = []
    pipe(prompt, negative_prompt=negative, num_inference_steps=n_steps, output_type="latent")
    return pipe.unet.seen


@pytest.mark.filterwarnings("ignore")  # of broken brackets
@pytest.mark.slow
def test_negatives(pipe):
    """A negative prompt has a schedule and no AND: that is what the data has of every case."""

    def check(case):
        timed = case["schedule"]["20"]
        texts = [next(t for until, t in timed if step <= until) for step in range(20)]
        calls = seen(pipe, "x", case["prompt"], 20)
        assert len(calls) == 20
        expected = encoded(pipe, texts, len(calls[0][0]))
        wrong = [i for i, call in enumerate(calls) if not torch.equal(call[0], expected[i])]
        assert not wrong

    assert len(CASES) == 185
    assert not failures_of(check, CASES, lambda case: case["id"])


@pytest.mark.filterwarnings("ignore")
def test_prompts(pipe):
    """Every part of AND in a pass of its own, the first in the pipeline's own call, the last."""

    def check(case):
        prompt, multi = case["prompt"], case["multicond"]
        parts = [(multi["flat"][i], weight) for i, weight in multi["indexes"]]
        if len(parts) == 1 or is_capitals(prompt, find_parts(prompt)):
            parts = [(prompt, 1.0)]  # where there is no AND, clipcond takes no weight off the end
        calls = iter(seen(pipe, prompt, "", 10))
        texts = {text: schedule(text, 10) for text, _ in parts}
        unique = list(dict.fromkeys(t for timed in texts.values() for _, t in timed))
        n_rows = len(pipe.unet.seen[0][1])
        expected = dict(zip(unique, encoded(pipe, unique, n_rows), strict=True))
        for step in range(10):
            for text, _ in [*parts[1:], parts[0]]:
                now = next(t for until, t in texts[text] if step <= until)
                call = next(calls)
                rows = expected[now]
                assert bool((call[1] == rows).all()), (step, now)
        assert next(calls, None) is None

    assert not failures_of(check, CASES, lambda case: case["id"])


def encoded(pipe, texts, n_rows):
    """Encode texts as they are: AND and brackets that are left are not read again."""
    from clipcond.conditioning.settled import Settled
    from clipcond.prompt.remainder import Remainder

    unique = [Settled(Remainder.whole(text)) for text in dict.fromkeys(texts)]
    padding = Settled(Remainder.whole("x " * 75 * (n_rows // 77 - 1) + "x"))
    embeds = pipe.conditioner([*unique, padding]).embeds
    assert embeds.shape[1:] == (n_rows, WIDTH)
    places = {str(text): row for text, row in zip(unique, embeds, strict=False)}
    return [places[text] for text in texts]


def test_parts_are_composed_as_in_the_data():
    cases = [c for c in CASES if len(c["multicond"]["indexes"]) > 1]

    assert len(cases) > 5
    for case in cases:
        flat = [(case["multicond"]["flat"][i], w) for i, w in case["multicond"]["indexes"]]
        assert list(compose(case["prompt"])) == flat
