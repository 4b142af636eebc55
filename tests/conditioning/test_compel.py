"""Laws of the dialect compel as a whole, from prompt to conditioning. Numbers are in parity."""

from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipcond import Conditioner, Dialect
from clipcond.chunking import hard, phrases, words
from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import PromptError
from clipcond.prompt import convert, parse
from clipcond.weighting import WEIGHTINGS
from clipcond.weighting.masking import masked, removing
from clipcond.weighting.shared_eos import with_first_eos, with_mean_eos
from tests.conditioning.conditioners import CLOSE, counted_tower, pair, single, warnings_of

COMPEL = DIALECTS["compel"]
OPTIONS = {
    "default": COMPEL,
    "phrases": replace(COMPEL, splitter=phrases),
    "words, removed": replace(COMPEL, splitter=words, weighting=removing(words)),
    "truncated": replace(COMPEL, splitter=hard, max_chunks=1),
    "first eos": replace(COMPEL, weighting=with_first_eos(masked)),
    "mean eos": replace(COMPEL, weighting=with_mean_eos(masked)),
}
PIECES = [
    *("(", ")", ")1.3", ")0.5", "red ", "cat+ ", "dog-- ", "猫 ", ", ", ". ", '"', '"0 ', "\\("),
    *('("a", "b+").blend(', ".and(", "1, 2)", "-1)", ")", ".swap(x) ", "withLora(n) ", "fox " * 40),
]
prompts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
LONG = "(a red fox. in the snow)0.6, " * 12
PROMPTS = [
    "a (cat)0.5 dog++",
    LONG,
    '("a cat", "a (dog)0.7").blend(0.7, 0.3)',
    f'("{LONG}", "a dog").blend(1, 2)',
    '("a cat", "a dog").and(1, 0.5)',
    "a cat.swap(dog)",
    "",
    "()",
]

quiet = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
few = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
each_option = pytest.mark.parametrize("dialect", OPTIONS.values(), ids=OPTIONS)


@quiet
@each_option
@few
@given(prompt=prompts)
def test_any_string_is_conditioned_on_or_told_where_it_is_wrong(dialect, prompt):
    embeds, places = torch.zeros(1, 77, 32), []
    try:
        embeds = single(dialect=dialect)(prompt).embeds
    except PromptError as error:
        places = [error.position]
    assert embeds.shape[1] % 77 == 0
    assert torch.isfinite(embeds).all()
    assert all(0 <= place <= len(prompt) for place in places)


@pytest.mark.parametrize("rule", sorted(WEIGHTINGS))
def test_weights_of_1_change_no_bit(rule):
    prompt = f'a (red)1.0, (big old)1 "cat"1. {"snow, " * 80}'

    ours = pair(dialect="compel", weighting=rule)(prompt)

    plain = pair(dialect="compel", weighting="none")(prompt)
    assert torch.equal(ours.embeds, plain.embeds)
    assert torch.equal(ours.pooled, plain.pooled)


def test_a_conjunction_of_weight_1_changes_no_bit():
    ours = single(dialect="compel")('("a cat", "a dog").and(1, 1)').embeds[0]

    cat, dog = single(dialect="compel")(["a cat", "a dog"]).embeds
    assert torch.equal(ours, torch.cat([cat, dog]))


@quiet
@each_option
def test_a_prompt_does_not_depend_on_its_neighbours(dialect):
    together = single(dialect=dialect)(PROMPTS).embeds

    for row, prompt in zip(together, PROMPTS, strict=True):
        alone = single(dialect=dialect)(prompt).embeds[0]
        torch.testing.assert_close(row[: len(alone)], alone, **CLOSE)


@quiet
def test_a_pair_does_not_depend_on_the_other_pairs_of_a_batch():
    together = pair(dialect="compel").guided(PROMPTS, PROMPTS[::-1])

    for i, texts in enumerate(zip(PROMPTS, PROMPTS[::-1], strict=True)):
        alone = pair(dialect="compel").guided(*texts)
        for side in ("positive", "negative"):
            mine, theirs = getattr(alone, side), getattr(together, side)
            n_rows = mine.embeds.shape[1]
            torch.testing.assert_close(theirs.embeds[i, :n_rows], mine.embeds[0], **CLOSE)
            torch.testing.assert_close(theirs.pooled[i], mine.pooled[0], **CLOSE)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("together", [True, False])
def test_whatever_is_encoded_goes_into_one_batch_or_one_for_masked(option, together, monkeypatch):
    tower, calls = counted_tower()
    monkeypatch.setattr(type(tower), "mask_keeps_rows", together)
    conditioner = Conditioner(tower, dialect=replace(OPTIONS[option], max_chunks=None))
    low = '("a (red)0.5 cat", "the (dark)0.7").blend(1, 2)'

    conditioner.guided(low, "(bad)1.2")
    n_calls = len(calls)
    conditioner.guided(low.replace("0.5", "0.6"), "(bad)1.3")  # other weights: nothing to encode

    # where a mask changes the bits of the others, those that have one go apart
    assert len(calls) == n_calls == (1 if together or "removed" in option else 2)


def test_blends():
    conditioner = single(dialect="compel")
    cat, dog, empty = conditioner(["a cat", "a (dog)1.2", ""]).embeds

    def mixed(method: str) -> torch.Tensor:
        return conditioner(f'("a cat", "a (dog)1.2").{method}').embeds[0]

    torch.testing.assert_close(mixed("blend()"), (cat + dog) / 2, **CLOSE)
    torch.testing.assert_close(mixed("blend(3, 1)"), (3 * cat + dog) / 4, **CLOSE)
    torch.testing.assert_close(mixed("blend(1, -0.5, no_normalize)"), cat - 0.5 * dog, **CLOSE)
    expected = torch.cat([empty + 0.5 * (cat - empty), dog])
    torch.testing.assert_close(mixed("and(0.5, 1)"), expected, **CLOSE)


def test_the_shorter_part_of_a_blend_and_the_shorter_prompt_are_filled_with_the_empty_chunk():
    conditioner = single(dialect="compel")
    long = "red fox " * 50
    fox = conditioner(long).embeds[0]
    cat, empty = conditioner(["a cat", ""]).embeds

    ours = conditioner([f'("a cat", "{long}").blend()', "a cat"]).embeds

    filled = torch.cat([cat, empty])
    torch.testing.assert_close(ours[0], (filled + fox) / 2, **CLOSE)
    torch.testing.assert_close(ours[1], filled, **CLOSE)


def test_pooled_is_that_of_the_prompt_as_written_cut_where_a_chunk_is_full():
    prompts = ['("a cat", "a dog").and(0.5, 1)', "a (cat)0.5, " * 40]

    ours = pair(dialect="compel")(prompts).pooled

    plain = replace(DIALECTS["plain"], splitter=hard)
    torch.testing.assert_close(ours, pair(dialect=plain)(prompts).pooled, **CLOSE)


def test_no_negative_is_the_empty_prompt():
    for conditioner in (single(dialect="compel"), pair(dialect="compel")):
        negative = conditioner.guided("a cat").negative

        torch.testing.assert_close(negative.embeds, conditioner("").embeds, **CLOSE)
        assert negative.embeds.abs().max() > 0


def test_what_is_not_done_is_warned_of():
    def call():
        single(dialect="compel")("a (cat:1.3).swap(dog) withLora(n)")

    assert [message.splitlines()[0] for message in warnings_of(call)] == [
        "'(cat:1.3)' is a weight in dialect 'a1111', but not here",
        "what .swap() puts in its place is not encoded, only what is before it",
        "the LoRA 'n' is left out of the text, and nothing loads it",
    ]


@pytest.mark.parametrize("prompt", ["a (red fox:0.6), (in the snow:1.3)", "((cat)) [dog] \\(x\\)"])
def test_a_converted_prompt_is_weighted_as_the_original(prompt):
    as_a1111: Dialect = replace(COMPEL, syntax="a1111")

    ours = single(dialect="compel")(convert(prompt, "a1111", "compel", exact=True))

    theirs = single(dialect=as_a1111)(prompt)
    torch.testing.assert_close(ours.embeds, theirs.embeds, **CLOSE)


@pytest.mark.parametrize("prompt", PROMPTS[:5])
def test_rendered_and_read_again_it_is_the_same_conditioning(prompt):
    again = parse(prompt, "compel").render()

    conditioner = single(dialect="compel")
    torch.testing.assert_close(conditioner(again).embeds, conditioner(prompt).embeds, **CLOSE)
