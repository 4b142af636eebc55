"""Arguments of a wrong type are refused by name, before anything is computed."""

import numpy
import pytest

from clipcond import Conditioner, compose, parse, schedule
from clipcond.errors import ArgumentError, ClipcondError, PromptError, PromptTypeError, TowerError
from clipcond.prompt import reduce_to_one_text
from clipcond.prompt.conversion import convert
from clipcond.towers.base import HiddenLayer
from tests.conditioning.conditioners import single
from tests.failures import failures_of

NO_TEXT = (5, None, b"abc", {}, ["a"], 1.5, bytearray(b"a"), object())
NO_CHOICE = ("no", 1, 0, "", [], 0.5, "True")


def refused(error, function, *arguments, **named):
    with pytest.raises(error) as raised:
        function(*arguments, **named)
    assert type(raised.value).__module__ == "clipcond.errors"
    assert isinstance(raised.value, ClipcondError | TypeError)
    return str(raised.value)


def test_what_is_no_prompt():
    def check(value):
        functions = [parse, compose, reduce_to_one_text, lambda text: schedule(text, 5)]
        for function in [*functions, lambda text: convert(text, "a1111", "compel")]:
            assert (
                "a prompt is a string, not a" in refused(PromptTypeError, function, value)
                or value is None
            )

    assert not failures_of(check, NO_TEXT)
    assert "decode('utf-8')" in refused(PromptTypeError, parse, b"abc")


def test_choices_of_functions():
    def check(value):
        refused(ArgumentError, parse, "a", fullwidth=value)
        refused(ArgumentError, compose, "a", fullwidth=value)
        refused(ArgumentError, schedule, "a", 5, fullwidth=value)
        refused(ArgumentError, convert, "a", "a1111", "compel", fullwidth=value)
        refused(ArgumentError, convert, "a", "a1111", "compel", exact=value)
        refused(ArgumentError, reduce_to_one_text, "a", negative=value)

    assert not failures_of(check, NO_CHOICE)
    for steps in ("10", 2.5, True, None, [5]):
        assert "steps is a whole number" in refused(ArgumentError, schedule, "[a:b:1]", steps)
    assert schedule("[a:b:1]", numpy.int64(2)) == schedule("[a:b:1]", 2)


def test_choices_of_a_conditioner():
    tower = single().towers[0]

    def check(case):
        name, value = case
        message = refused(ArgumentError, Conditioner, tower, **{name: value})
        assert message.startswith(f"{name} is ")
        assert type(value).__name__ in message

    choices = ("fullwidth", "extra_networks", "pooled")
    cases = [(name, value) for name in choices for value in (*NO_CHOICE, 5, {})]
    cases += [("layer", value) for value in (3, "2", (3,), [HiddenLayer(1)], -1, True)]
    cases += [(name, value) for name in ("reads", "adapter") for value in (5, "x", {}, True, [])]
    assert not failures_of(check, cases)
    Conditioner(tower, layer=HiddenLayer(1), fullwidth=False, extra_networks=print, pooled=False)


def test_lists_that_differ_in_length():
    c = single()

    def check(case):
        prompts, negatives, message = case
        assert message in refused(PromptError, c.guided, prompts, negatives)

    cases = [
        (["a", "b", "c"], ["x", "y"], "2 negative prompts for 3 prompts"),
        (["a", "b"], ("x", "y", "z"), "3 negative prompts for 2 prompts"),
        (["a", "b"], ["x", "y", "z"], "3 negative prompts for 2 prompts"),
        ("a", ["x", "y"], "2 negative prompts for 1 prompt"),
        (["a"], ["x", "y"], "2 negative prompts for 1 prompt"),
    ]
    assert not failures_of(check, cases)
    assert len(c.guided(["a", "b"], "x").negative.embeds) == 2
    assert len(c.guided(["a", "b"], ["x"]).negative.embeds) == 2
    three = ["x", "y", "z"]
    assert "3 second prompts for 2" in refused(PromptError, c, ["a", "b"], prompts_2=three)


def test_prompts_of_a_call():
    c = single()

    def check(value):
        refused(PromptTypeError, c, value)
        refused(PromptTypeError, c, "a", prompts_2=value)
        refused(PromptTypeError, c.guided, "a", value)
        refused(PromptTypeError, c.guided, "a", "b", negatives_2=value)
        refused(PromptTypeError, c.explain, value)
        refused(PromptTypeError, c.check, value)

    assert not failures_of(check, [5, b"abc", {"a": 1}, 1.5, [5]])
    refused(ArgumentError, c.check, "a", negative="yes")
    refused(ArgumentError, c.over_time, "a", "5")


def test_names_of_inversions_and_objects():
    conditioner = single()
    for value in (5, b"x", ["x"], 1.5, True):
        message = refused(ArgumentError, conditioner.load_inversion, {}, token=value)
        assert message.startswith("token is a name, or None, not a")
        message = refused(ArgumentError, conditioner.remove_inversion, value)
        assert message.startswith("name is a name, not a")
    assert "is no text tower" in refused(TowerError, Conditioner, type(conditioner.towers[0]))
