"""Calls that are answered together, each as if it were made alone."""

import pytest
import torch

from clipcond import Conditioner, load_tower
from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import PromptError
from tests.conditioning.conditioners import CLOSE, counted_tower, pair, single
from tests.towers.chinese import tower_zh

LONG = "a (red:1.3) cat, " * 20
GUIDED = [
    ("a (red:1.3) cat", ""),
    (["a dog", LONG], "a (blurry"),
    (LONG, "a dog"),
    (["", "a fox --no owl"], ["a dog --no owl", ""]),
    ("a fox --no owl", "a (red:1.3) cat"),
    ("a dog --no owl", LONG),
]
ALONE = [("a cat",), ([LONG, ""],), ("a cat",), (["a dog", "a cat # a comment"],), ("a cat #",)]
quiet = pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")


def check_together(conditioner):
    """Compare each answer with a call of its own."""
    for calls in (GUIDED, ALONE):
        together = conditioner.together(calls)
        for call, answered in zip(calls, together, strict=True):
            if calls is GUIDED:
                guided = conditioner.guided(*call)
                columns = (guided.positive, guided.negative)
            else:
                columns = (conditioner(*call),)
            for made, alone in zip(answered.columns, columns, strict=True):
                torch.testing.assert_close(made.embeds, alone.embeds, **CLOSE)
                for name in ("pooled", "attention_mask"):
                    mine, other = getattr(made, name), getattr(alone, name)
                    assert (mine is None) == (other is None)
                    if mine is not None:
                        torch.testing.assert_close(mine, other, **CLOSE)
                assert made.issues == alone.issues
                assert [i.remedy for i in made.issues] == [i.remedy for i in alone.issues]
            assert set(answered.rows) <= set(range(columns[0].embeds.shape[1]))


@quiet
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("make", [single, pair], ids=["single", "pair"])
def test_each_call_is_answered_as_if_it_were_alone(dialect, make):
    check_together(make(dialect=dialect))


@quiet
def test_where_padding_is_masked():
    check_together(Conditioner(tower_zh()))


def test_rows_are_those_that_any_of_a_calls_texts_has():
    (answered,) = single().together([(["a cat", ""], "a red cat")])
    (alone,) = single().each(["a red cat"])

    assert answered.rows == alone.rows


def test_what_is_given_can_be_written_into():
    conditioner = single()
    first, second = conditioner.together([("a dog",), ("a dog",)])
    first.columns[0].embeds.zero_()

    assert second.columns[0].embeds.any()
    assert conditioner("a dog").embeds.any()


def test_one_call_of_the_tower():
    tower, counts = counted_tower()
    Conditioner(tower).together([("a cat", ""), (["a dog", "a fox"], "an owl"), ("a cat", "x")])

    assert len(counts) == 1


def test_errors_are_those_of_a_call():
    conditioner = Conditioner(load_tower("embedded"))
    with pytest.raises(PromptError, match="2 negative prompts for 3 prompts"):
        conditioner.together([("a cat", ""), (["a"] * 3, ["b"] * 2)])
    assert conditioner.together([]) == []
