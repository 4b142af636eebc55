"""AND. The golden compositions are in parity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import PromptSyntaxError
from clipcond.prompt import compose
from tests.failures import failures_of

PIECES = ["AND", " ", ":", "1.5", "-", ".", "a", "猫", "\n", "(", ")"]
prompts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@given(prompts)
def test_parts_stand_in_the_prompt_in_order(prompt):
    position = 0
    for text, _ in compose(prompt):
        position = prompt.index(text, position) + len(text)


@given(st.lists(st.sampled_from(["a cat", " dog", "(x:2)", "猫"]), min_size=1))
def test_as_many_parts_as_were_joined(texts):
    assert [text for text, _ in compose(" AND".join(texts).replace("AND", "AND "))] == [
        (" " if index else "") + text for index, text in enumerate(texts)
    ]


def test_parts_and_weights():
    def check(case):
        prompt, expected = case
        assert list(compose(prompt)) == expected

    cases = [
        ("", [("", 1.0)]),
        ("  ", [("", 1.0)]),
        ("(a AND b)", [("(a", 1.0), (" b)", 1.0)]),
        ("SAND AND_ ANDb", [("SAND AND_ ANDb", 1.0)]),
        ("x :0.3AND y", [("x :0.3AND y", 1.0)]),
        ("a:1. AND b :.5 AND c : -2 \n", [("a", 1.0), (" b", 0.5), (" c", -2.0)]),
        ("a:1e1 AND b:. AND c:", [("a:1e1", 1.0), (" b:.", 1.0), (" c:", 1.0)]),
        ("a:1:2", [("a:1", 2.0)]),
        (":3", [("", 3.0)]),
    ]
    assert not failures_of(check, cases)


def test_a_weight_that_overflows():
    with pytest.raises(PromptSyntaxError) as error:
        compose("a AND 猫 : " + "9" * 400)

    assert str(error.value) == (
        "the weight 99999999999999999... is not finite\n"
        "  a AND 猫 : 999999999999999999999999999999...\n"
        "             ^\n"
        "Weights are near 1.0; most models tolerate 0.5 to 1.5."
    )


def test_a_megabyte():
    assert len(compose("a cat on a mat AND " * 50_000)) == 50_001
    assert compose("a:" + " " * 1_000_000 + "b") == (("a:" + " " * 1_000_000 + "b", 1.0),)
