"""Prompts that are encoded together, each as if it were alone."""

import pytest
import torch

from clipcond import Conditioner, load_tower
from clipcond.adapters import load_adapter
from clipcond.conditioning.dialects import DIALECTS
from clipcond.embedded import ADAPTERS
from tests.conditioning.conditioners import CLOSE, counted_tower, pair, single
from tests.towers.alt import tower_alt
from tests.towers.chinese import tower_zh

LONG = "a (red:1.3) cat, " * 20
PROMPTS = ["a (red:1.3) cat", LONG, "", "a dog", "a dog", "((x)) " * 200, "BREAK a cat BREAK"]


def check_alone(conditioner):
    """Compare each prompt with a call of its own."""
    together = conditioner.each(PROMPTS)
    assert len(together) == len(PROMPTS)
    for prompt, each in zip(PROMPTS, together, strict=True):
        alone, made = conditioner(prompt), each.conditioning
        assert made.embeds.shape == alone.embeds.shape
        torch.testing.assert_close(made.embeds, alone.embeds, **CLOSE)
        for name in ("pooled", "attention_mask"):
            mine, other = getattr(made, name), getattr(alone, name)
            assert (mine is None) == (other is None)
            if mine is not None:
                torch.testing.assert_close(mine, other, **CLOSE)
        assert made.issues == alone.issues
        assert list(each.rows) == sorted({*each.rows} & {*range(alone.embeds.shape[1])})
    first, second = (together[i].conditioning.embeds for i in (3, 4))
    first.zero_()  # a caller may write into what it gets
    assert second.any()


def chinese(**choices):
    return Conditioner(tower_zh(), **choices)


def bilingual(**choices):
    return Conditioner(tower_alt(), **choices)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("make", [single, pair, chinese, bilingual])
@pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
def test_each_prompt_comes_out_as_if_it_were_alone(dialect, make):
    check_alone(make(dialect=dialect))


@pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
def test_behind_an_adapter():
    tower = load_tower("embedded-zh")
    adapted = Conditioner(tower, adapter=load_adapter(ADAPTERS["embedded-zh"])[0])
    check_alone(adapted)
    assert adapted.each("猫")[0].rows == tuple(range(77))


def test_the_rows_of_a_prompt_are_bos_to_eos_of_its_chunks():
    tower = single().towers[0]
    n_tokens = len(tower.tokenizer.encode("a cat"))
    plain, long, empty, breaks = single().each(["a cat", "cat " * 76, "", "a cat BREAK a cat"])

    assert plain.rows == empty.rows + tuple(range(2, n_tokens + 2))
    assert empty.rows == (0, 1)
    n_long = len(tower.tokenizer.encode("cat " * 76))
    assert long.rows == (*range(77), *range(77, 77 + 2 + n_long - 75))
    assert breaks.rows == (*plain.rows, *(77 + row for row in plain.rows))


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "plain"])
def test_rows_hold_all_that_differs_from_another_filling(dialect):
    """What is not a prompt's own row holds no token of its text."""
    conditioner = single(dialect=dialect)
    (made,) = conditioner.each("a red cat")
    texts = [token for chunk in conditioner.chunks("a red cat") for token in chunk.places]
    assert {*texts} <= {*made.rows}


def test_all_prompts_are_encoded_in_one_tower_call():
    tower, calls = counted_tower()

    Conditioner(tower).each(["a cat", "a dog", "a cat", "x " * 100])

    assert calls == [4]
