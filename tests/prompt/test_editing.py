"""Prompt editing and alternation. The golden schedules are in parity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import ArgumentError
from clipcond.prompt import schedule
from clipcond.prompt.editing import Change, find_changes
from tests.failures import failures_of

PIECES = ["[", "]", "(", ")", ":", "|", "a", "猫 ", ":3]", ":0.5]", "[b:", "\\[", "AND", "[x|y]"]
prompts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@given(prompts, st.integers(1, 12))
def test_until_steps_rise_to_the_last_step(prompt, steps):
    until = [step for step, _ in schedule(prompt, steps)]

    assert until == sorted(set(until))
    assert until[0] >= 1
    assert until[-1] == steps


@given(prompts, st.integers(1, 12))
def test_every_text_is_what_is_left_of_the_prompt(prompt, steps):
    for _, text in schedule(prompt, steps):
        characters = iter(prompt)
        assert all(character in characters for character in text)


@given(prompts)
def test_changes_are_nested_or_apart(prompt):
    places = find_changes(prompt)

    assert [place.start for place in places] == sorted(place.start for place in places)
    for place in places:
        assert prompt[place.start] == "["
        assert prompt[place.stop - 1] == "]"
        for other in places:
            inside = place.start < other.start and other.stop < place.stop
            around = other.start < place.start and place.stop < other.stop
            apart = other.stop <= place.start or place.stop <= other.start
            assert place is other or inside or around or apart


@given(st.text(alphabet=st.characters(exclude_characters="[]|")), st.integers(1, 5))
def test_without_brackets_nothing_changes(text, steps):
    assert schedule(text, steps) == ((steps, text),)


@given(st.lists(st.sampled_from(["a", "b", "", "c d"]), min_size=2), st.integers(1, 12))
def test_alternation_goes_round(options, steps):
    got = schedule(f"x [{'|'.join(options)}] y", steps)

    assert got == tuple((n + 1, f"x {options[n % len(options)]} y") for n in range(steps))


def test_changes_say_where_they_are():
    prompt = "猫 [a [b|c]:d: 0.5 ] [e:3]"

    assert find_changes(prompt) == (
        Change(2, 19, ((3, 10), (11, 12)), " 0.5 "),
        Change(5, 10, ((6, 7), (8, 9))),
        Change(20, 25, ((21, 21), (21, 22)), "3"),
    )


def test_ten_steps():
    def check(case):
        prompt, expected = case
        assert list(schedule(prompt, 10)) == expected

    cases = [
        ("", [(10, "")]),
        ("((p)[q:r:3]", [(3, "((p)q"), (10, "((p)r")]),
        ("[p:q:3))", [(10, "[p:q:3))")]),
        ("[a:b:c:3]", [(10, "[a:b:c:3]")]),
        ("[a:b:[c:d:3]]", [(3, "[a:b:c]"), (10, "[a:b:d]")]),
        ("[a:b|c:3] [d:e:3]", [(10, "[a:b|c:3] [d:e:3]")]),
        ("x | [d:e:3]", [(10, "x | [d:e:3]")]),
        ("(x|y) [d:e:3]", [(10, "(x|y) [d:e:3]")]),
        ("x \\| [d:e:3]", [(3, "x \\| d"), (10, "x \\| e")]),
        ("[d:e:3] \\", [(10, "[d:e:3] \\")]),
        ("[a [b:c] d:e:3]", [(10, "[a [b:c] d:e:3]")]),
        ("[a (b] c) d:e:3]", [(10, "[a (b] c) d:e:3]")]),
        ("[[a:b:5]:3]", [(3, ""), (5, "a"), (10, "b")]),
        ("[(a:1:2) d:e:3]", [(10, "[(a:1:2) d:e:3]")]),
        ("[(a:1) d:e:3]", [(3, "(a:1) d"), (10, "e")]),
        ("[a:b:1e1]", [(10, "a")]),
        ("[a:b:3e-1]", [(10, "b")]),
        ("[a:b:1e999]", [(10, "a")]),
        ("[a:b:-1e999]", [(10, "b")]),
        ("[a:b:\n.25\t]", [(2, "a"), (10, "b")]),
        ("[a:b:２]", [(10, "[a:b:２]")]),
        ("[a:b:1.2.3]", [(10, "[a:b:1.2.3]")]),
    ]
    assert not failures_of(check, cases)


def test_old_timelines_ask_for_the_size_not_for_the_dot():
    assert schedule("[a:b:1.0]", 10) == ((10, "a"),)
    assert schedule("[a:b:1.0]", 10, old_timelines=True) == ((1, "a"), (10, "b"))


def test_a_second_pass_counts_on_from_the_first():
    assert schedule("[a:b:13]", 8, base_steps=10) == ((3, "a"), (8, "b"))
    assert schedule("[a:b:1.5]", 8, base_steps=10) == ((4, "a"), (8, "b"))
    assert schedule("[a:b:0.9]", 8, base_steps=10) == ((8, "b"),)


def test_deep_nesting():
    def check(n):
        prompt = "[" * n + "x" + ":3]" * n
        assert schedule(prompt, 10) == ((3, ""), (10, "x"))

        prompt = "([" * n + "a|b" + "])" * n
        assert schedule(prompt, 2) == (
            (1, "([" * (n - 1) + "(a)" + "])" * (n - 1)),
            (2, "([" * (n - 1) + "(b)" + "])" * (n - 1)),
        )

    cases = [10_000]
    assert not failures_of(check, cases)


def test_steps_below_one():
    def check(name):
        for n in (0, -1):
            with pytest.raises(ArgumentError) as error:
                schedule("a", **{"steps": 5, name: n})
            assert str(error.value) == f"{name} is a whole number from 1, not {n}"

    assert not failures_of(check, ["steps", "base_steps"])


def test_old_timelines_have_no_second_pass():
    with pytest.raises(ValueError, match="second pass") as error:
        schedule("a", 5, old_timelines=True, base_steps=5)

    assert str(error.value) == (
        "old timelines know no second pass: leave out base_steps or old_timelines"
    )
