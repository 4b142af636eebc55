"""Every dialect obeys the conditioner's laws; what some of them do to a prompt and its negative."""

from dataclasses import dataclass, replace

import pytest
import torch

from clipcond import Conditioner
from clipcond.conditioning.dialect import (
    Dialect,
    closed_with_eos,
    without_inner_frames,
    without_padding,
)
from clipcond.conditioning.dialects import DIALECTS, find_dialect
from clipcond.conditioning.plan import Cutter, Plan, plan_call
from clipcond.prompt import parse
from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.open_clip import shipped
from clipcond.towers import OpenAIClipTower
from clipcond.weighting.normalize import half
from tests.conditioning.conditioners import CLOSE, pair, single, warnings_of
from tests.conditioning.read_pages import read_page, tables
from tests.parity.models import model_g, tower_g, tower_l

LONG = "a (red:1.3) cat, " * 20
PROMPTS = {
    "short": ("a (red:1.3) cat", "[ugly]"),
    "longer prompt": (LONG, "ugly"),
    "longer negative": ("a dog", LONG),
    "empty": ("", ""),
    "nothing to say": (" ", " "),
}
PAIR = SpecialTokens(bos=1, eos=2, pad=0, context_length=6)
MASKED = replace(PAIR, mask_padding=True)

each_dialect = pytest.mark.parametrize("dialect", DIALECTS)


class Letters:
    """A tokenizer: one token a letter."""

    def encode(self, text):
        return [ord(letter) for letter in text.replace(" ", "")]

    def encode_batch(self, texts):
        return [self.encode(text) for text in texts]

    def pieces(self, ids):
        return [chr(i) for i in ids]


@dataclass
class Tower:
    """As much of a tower as laying out needs."""

    special: SpecialTokens
    tokenizer: Letters
    name: str = "letters"


def cutter_for(dialect: Dialect, special: SpecialTokens, normalize=None) -> Cutter:
    """Cuts letters into chunks as the dialect has it."""
    tower = Tower(special, Letters())
    framed = special if dialect.frame is None else dialect.frame(special)
    return Cutter(tower, tower.tokenizer, framed, dialect, normalize)


def plans_of(cutter: Cutter, *texts: str) -> list[Plan]:
    """The plans of a prompt and its negative."""
    parsed = {text: parse(text, cutter.dialect.syntax) for text in texts}
    (row,) = plan_call([[(text,) for text in texts]], parsed, [cutter])
    return [plan for (plan,) in row]


def ids_of(dialect: Dialect, special: SpecialTokens, *texts: str) -> list[list[tuple[int, ...]]]:
    """The ids of the chunks of each text, all planned together."""
    plans = plans_of(cutter_for(dialect, special), *texts)
    return [[c.input_ids for c in plan.chunks] for plan in plans]


def without_zeros(dialect: str, make):
    """The dialect, but empty negatives are encoded like any other."""
    return replace(find_dialect(dialect).for_towers(2 if make is pair else 1), zero_negative=None)


@each_dialect
@pytest.mark.parametrize("make", [single, pair], ids=["single", "pair"])
@pytest.mark.parametrize("texts", PROMPTS.values(), ids=PROMPTS)
@pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
def test_prompt_and_negative_are_equally_long_and_can_be_swapped(dialect, make, texts):
    conditioner = make(dialect=without_zeros(dialect, make))

    ours, swapped = conditioner.guided(*texts), conditioner.guided(*texts[::-1])

    assert ours.positive.embeds.shape == ours.negative.embeds.shape
    torch.testing.assert_close(ours.positive.embeds, swapped.negative.embeds, **CLOSE)
    torch.testing.assert_close(ours.negative.embeds, swapped.positive.embeds, **CLOSE)


@each_dialect
@pytest.mark.parametrize("make", [single, pair], ids=["single", "pair"])
@pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
def test_a_pair_does_not_depend_on_the_other_pairs_of_a_batch(dialect, make):
    conditioner = make(dialect=without_zeros(dialect, make))
    prompts, negatives = zip(*PROMPTS.values(), strict=True)

    together = conditioner.guided(list(prompts), list(negatives))

    for i, texts in enumerate(PROMPTS.values()):
        alone = conditioner.guided(*texts)
        for side in ("positive", "negative"):
            mine = getattr(alone, side).embeds[0]
            theirs = getattr(together, side).embeds[i, : len(mine)]
            torch.testing.assert_close(theirs, mine, **CLOSE)


def test_the_shorter_side_is_filled_before_it_is_cut():
    dialect = find_dialect("sd_embed")

    assert ids_of(dialect, PAIR, "ab", "abcdef") == [
        [(1, 97, 98, 2, 2, 2), (1, 2, 2, 2, 2, 2)],
        [(1, 97, 98, 99, 100, 2), (1, 101, 102, 2, 2, 2)],
    ]


def test_filling_counts_as_text_of_a_part_behind_the_last():
    cutter = cutter_for(find_dialect("sd_embed"), PAIR, half)

    (filled,) = plans_of(cutter, "a(b:2)", "cde")[0].chunks
    assert (filled.content, filled.segments) == (3, (-1, 0, 1, 2, -1, -1))
    assert filled.weights == (1.0, 1.0, 2.0, 1.0, 1.0, 1.0)

    (filled,) = plans_of(cutter, " ", "cde")[0].chunks
    assert filled.segments == (-1, 0, 0, 0, -1, -1)


def test_what_a_tower_masks_fills_nothing():
    assert ids_of(find_dialect("sd_embed"), MASKED, "ab", "abcdef")[0] == [(1, 97, 98, 2, 2, 2)]
    (chunk,) = cutter_for(find_dialect("lpw"), MASKED).chunks(parse("ab"))
    assert (chunk.input_ids, chunk.attention_mask) == ((1, 97, 98, 0, 0, 2), (1, 1, 1, 0, 0, 1))


def test_lpw_closes_a_chunk_behind_its_padding():
    assert closed_with_eos(PAIR) == replace(PAIR, eos_last=True)
    assert ids_of(find_dialect("lpw"), PAIR, "ab", "abcdef") == [
        [(1, 97, 98, 0, 0, 2), (1, 0, 0, 0, 0, 2)],
        [(1, 97, 98, 99, 100, 2), (1, 101, 102, 0, 0, 2)],
    ]


def test_lpw_takes_three_chunks_and_says_once_what_it_drops():
    conditioner = single(dialect="lpw")

    assert warnings_of(lambda: conditioner.guided("a cat", "x " * 225 + "red fox")) == [
        "the prompt needs 4 chunks of 75 tokens; dialect 'lpw' takes 3; dropped: 'red fox'\n"
        "Shorten the prompt, or take dialect 'a1111', which takes any length."
    ]


def test_rows_without_padding():
    cutter = cutter_for(find_dialect("sd_embed"), PAIR)
    a, b, c = (cutter.chunks(parse(text)) for text in ("", "abcd", "abcdef"))

    assert without_padding([a]) == [0, 1]
    assert without_padding([a, b]) == list(range(6))
    assert without_padding([a, b, c]) == list(range(10))


def test_rows_without_inner_frames():
    cutter = cutter_for(find_dialect("lpw"), PAIR)
    a, b = (cutter.chunks(parse(text)) for text in ("a", "abcdefghi"))

    assert without_inner_frames([a]) == [0, 1, 2, 3, 4, 5]
    assert without_inner_frames([a, b]) == [0, 1, 2, 3, 4, 7, 8, 9, 10, 13, 14, 15, 16, 17]


@pytest.mark.filterwarnings("ignore::clipcond.errors.PromptWarning")
def test_weights_are_those_of_float16():
    (chunk,) = single(dialect="sd_embed").chunks("(cat:1.3)")
    assert chunk.weights[:3] == (1.0, 1.2998046875, 1.0)


ENTITY = "salt &amp; pepper"  # one sign to open_clip, which webui reads OpenCLIP's towers by


def first_ids(tower, dialect: str) -> list[int]:
    (chunk,) = Conditioner(tower, dialect=dialect).chunks(ENTITY)
    return list(chunk.input_ids[1 : 1 + chunk.content])


def test_each_tool_reads_by_its_own_tokenizer_whichever_the_tower_came_with():
    theirs, open_clips = tower_g().tokenizer.encode(ENTITY), shipped(77).encode(ENTITY)
    assert len(open_clips) < len(theirs)
    mapped = OpenAIClipTower(model_g(), shipped(77))

    for tower in (tower_g(), mapped):
        assert first_ids(tower, "a1111") == open_clips
        for dialect in ("comfyui", "compel", "diffusers", "lpw", "sd_embed"):
            assert first_ids(tower, dialect) == theirs
    assert first_ids(tower_l(), "a1111") == theirs
    assert first_ids(tower_g(), "plain") == theirs
    assert first_ids(mapped, "plain") == open_clips


def test_a_tokenizer_handed_in_is_used_and_inversions_are_known_to_its_twin():
    silent = OpenAIClipTower(model_g(), shipped(77, encode=lambda text: [320] * len(text.split())))
    assert first_ids(silent, "comfyui") == first_ids(silent, "a1111") == [320] * 3

    conditioner = Conditioner(tower_g())
    name = conditioner.load_inversion(torch.ones(2, 40), token="<salt>")
    (chunk,) = conditioner.chunks(f"a {name} &amp;")
    assert chunk.content == 4
    assert chunk.input_ids[4] == first_ids(tower_g(), "a1111")[1]


def test_webui_that_runs_unlike_lengths_apart_is_a_repetition():
    apart = single(dialect=replace(DIALECTS["a1111"], repeats=True))

    guided = apart.guided("a cat BREAK a dog", "ugly")

    assert torch.equal(guided.positive.embeds, single()("a cat BREAK a dog").embeds)
    assert torch.equal(guided.negative.embeds, single()("ugly").embeds.repeat(1, 2, 1))


@each_dialect
@pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
def test_a_tower_may_have_no_bos(dialect):
    tower = tower_l()
    tower.special = replace(tower.special, bos=None)
    conditioner = Conditioner(tower, dialect=dialect)

    guided = conditioner.guided(LONG + "(grey)- (mouse:0.7)", "ugly")

    assert guided.positive.embeds.shape == guided.negative.embeds.shape
    assert torch.isfinite(guided.positive.embeds).all()
    first = conditioner.chunks("a (red:1.3) cat")[0]
    assert first.places.start == 0
    (_, *rows), *_ = tables(read_page(conditioner.explain("a cat").html()))
    assert rows[0] == ["a", "0", "320", "1"]
