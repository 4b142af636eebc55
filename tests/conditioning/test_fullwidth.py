"""Full-width punctuation in prompts: on where the tower is Chinese, off elsewhere, switchable."""

import pickle
from dataclasses import replace

import pytest
import torch

from clipcond import Conditioner, parse
from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import UnknownNameError
from clipcond.prompt import ParsedPrompt, Segment
from clipcond.towers import ChineseClipTower
from tests.conditioning.conditioners import single, warnings_of
from tests.towers.chinese import tokenizer, tower_zh, whole_model

READ = ("a1111", "comfyui", "comfyui_words", "lpw", "sd_embed")
PAIRS = [
    ("（猫：1.3），【狗】", "(猫:1.3)，[狗]"),
    ("一只（红色的：１．５）猫BREAK一只狗", "一只(红色的:1.5)猫 BREAK 一只狗"),
    ("【猫：狗：0.5】", "[猫:狗:0.5]"),
    ("猫AND狗", "猫 AND 狗"),
]


def chinese(**choices) -> Conditioner:
    return Conditioner(tower_zh(), **choices)


def weighted(conditioner: Conditioner, prompt: str) -> list[tuple[int, float]]:
    """The ids and weights of the text of all chunks."""
    chunks = conditioner.chunks(prompt)
    return [pair for c in chunks for pair in list(zip(c.input_ids, c.weights, strict=True))[1:-1]]


@pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
@pytest.mark.parametrize(("wide", "plain"), PAIRS)
def test_a_chinese_tower_reads_it(wide, plain):
    ours = chinese(clip_skip=2).guided(wide, "（差：1.2）")
    theirs = chinese(clip_skip=2, fullwidth=False).guided(plain, "(差:1.2)")

    assert torch.equal(ours.positive.embeds, theirs.positive.embeds)
    assert torch.equal(ours.negative.embeds, theirs.negative.embeds)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_which_dialects_can(dialect):
    conditioner = chinese(dialect=dialect)

    assert conditioner.fullwidth is (True if dialect in READ else None)
    text = "（猫：1.5）" if dialect in READ else "猫"
    weights = {w for _, w in weighted(conditioner, text)} - {1.0}
    assert weights == ({1.5} if dialect in READ else set())


def test_who_wants_it_where_it_cannot_be_is_told():
    with pytest.raises(UnknownNameError) as caught:
        chinese(dialect="compel", fullwidth=True)

    assert str(caught.value) == (
        "no dialect with full-width punctuation 'compel'. "
        "Known: a1111, comfyui, comfyui_words, lpw, sd_embed."
    )


def test_it_can_be_switched_off_and_is_then_silent():
    text = "（猫：1.3）"
    off = chinese(fullwidth=False)

    assert warnings_of(lambda: off(text)) == []
    assert off.explain(text).parsed.parts == (Segment(text, 1.0, 0, 7),)


def test_an_english_tower_reads_text_and_says_so():
    text = "a （cat：1.3）"
    assert single().explain(text).parsed.parts == parse(text).parts

    assert warnings_of(lambda: single()(text))[0] == (
        "'（cat：1.3）' is syntax where full-width punctuation counts, but not here\n"
        "  a （cat：1.3）\n"
        "    ^\n"
        "Write it in ASCII, or say fullwidth=True; fullwidth=False if it is meant as text."
    )
    assert not [m for m in warnings_of(lambda: single(fullwidth=False)(text)) if "full-width" in m]


def test_it_can_be_switched_on_for_an_english_tower():
    ours, theirs = single(fullwidth=True), single()

    assert torch.equal(ours("a （cat：１．３）").embeds, theirs("a (cat:1.3)").embeds)


def test_a_syntax_of_ones_own_is_asked_only_if_it_can_be():
    def mine(text: str) -> ParsedPrompt:
        return ParsedPrompt(text, (Segment(text, 2.0, 0, len(text)),))

    dialect = replace(DIALECTS["a1111"], syntax=mine)

    assert chinese(dialect=dialect).fullwidth is None
    assert {w for _, w in weighted(chinese(dialect=dialect), "猫")} == {1.0, 2.0}


def test_positions_are_those_of_what_was_typed():
    parsed = chinese().explain("一只（红色的：1.3）猫").parsed

    assert [parsed.source[s.start : s.stop] for s in parsed.segments] == ["一只", "红色的", "猫"]


def test_it_goes_along_with_a_copy():
    tower = ChineseClipTower(whole_model.__wrapped__(), tokenizer(), name="zh")
    plain, chinese = (
        pickle.loads(pickle.dumps(Conditioner(tower, fullwidth=wide))) for wide in (False, None)
    )

    assert plain.fullwidth is False
    assert chinese.fullwidth is True
