"""Edits that are drawn otherwise than meant are named in every condition, and at every depth."""

import re

import pytest

from clipcond import Conditioner
from clipcond.prompt.reduction import misread_forms, reduce, undrawn_edits
from clipcond.prompt.remainder import Remainder
from tests.failures import failures_of
from tests.parity.models import tower_l
from tests.prompt.test_remedies import issues

STEPS = re.compile(r"Choose (?:a step from (?P<first>\d+) to (?P<last>\d+)|step (?P<only>\d+)), or")


def never(prompt: str, **choices):
    return [i for i in reduce(prompt, **choices)[1] if i.code == "editing-never"]


def drawn_issues(prompt: str, *, negative: bool = False):
    """What a pipeline says of a prompt before it draws."""
    conditioner = Conditioner(tower_l())
    first = conditioner.over_time(prompt, 20, negative=negative)[0][1][0][0]
    return [i for i in first.issues if i.code != "unread-words"]


def test_an_edit_that_never_changes_in_any_condition():
    def check(case):
        prompt, shown, kept = case
        (issue,) = never(prompt)
        assert prompt[issue.position :].startswith(shown)
        assert issue.message == f"{shown!r} never changes while denoising; {kept} is drawn"
        assert issue in drawn_issues(prompt)
        assert issue.message in [i.message for i in Conditioner(tower_l()).check(prompt)]
        (written,) = re.findall(r"number of a step: (.*)\.", issue.remedy)
        assert never(prompt.replace(shown, written)) == []

    cases = [
        ("a cat AND a dog, [hat:1.2]", "[hat:1.2]", "nothing of it"),
        ("a cat AND [dog:fox:1.5]", "[dog:fox:1.5]", "only 'dog'"),
        ("a cat AND [dog::0]", "[dog::0]", "nothing of it"),
        ("a cat AND [dog:0]", "[dog:0]", "only 'dog'"),
        ("a cat AND [dog:-1]", "[dog:-1]", "only 'dog'"),
        ("a fox AND [cat:dog:5.0]", "[cat:dog:5.0]", "only 'cat'"),
        ("a AND b [red:blue:0] :0.5 AND c", "[red:blue:0]", "only 'blue'"),
        ("a AND b AND c [d::2.0] :-1", "[d::2.0]", "only 'd'"),
        ("a [b:[c:d:1.5]:0.5]", "[c:d:1.5]", "only 'c'"),
        ("[[a::3.]|fox]", "[a::3.]", "only 'a'"),
        ("a AND (b, [c:0.0]:1.2)", "[c:0.0]", "only 'c'"),
    ]
    assert not failures_of(check, cases)
    silent = ["a AND [b:c:0.5]", "a AND [b|c]", "a AND [b:5]", "a [b:[c:d:3]:0.5]", "a AND \\[b:0]"]
    assert [prompt for prompt in silent if never(prompt)] == []
    assert never("[a:b AND c:1.5]") == []  # AND parts it
    (issue,) = never("x AND [cat:1.2]")
    assert issue.remedy.startswith("For a weight write (cat:1.2).")
    assert len(never("a AND b [c:1.5]", negative=True)) == 1


def test_an_edit_that_never_changes_is_said_once():
    assert len(never("[[a:1.5]:b:1.5]")) == 1
    assert len(never("a [b:1.5] AND c [d:1.5] [e:1.5]")) == 3
    assert len(reduce("a AND " + "[b:1.5]" * 500)[1]) < 1000


def test_what_turns_editing_off_in_any_condition():
    for prompt in ("a AND [b:c:0.5] x\\", "a AND b AND [c:3] | d"):
        (issue,) = [i for i in reduce(prompt)[1] if i.code == "editing-off"]
        assert prompt[issue.position] in "\\|"
        assert issue in drawn_issues(prompt)


def test_a_step_beyond_the_last_in_any_condition():
    for prompt in ("a cat AND [dog:fox:25]", "a AND b AND [c:20]", "x AND [y::40] :0.4"):
        (issue,) = [i for i in reduce(prompt)[1] if i.code == "editing"]
        assert "do not reach" in issue.message
        assert prompt[issue.position] == "["
        assert [i for i in drawn_issues(prompt) if i.code == "editing"] == []
        assert len(undrawn_edits(Remainder.whole(prompt), 20)) == 1  # what a pipeline says


@pytest.mark.parametrize("steps", [5, 10, 20, 33])
def test_the_steps_of_an_edit_within_another(steps):
    """Every step and the fraction that a remedy names draw both texts."""

    def check(case):
        prompt, when = case
        for issue in undrawn_edits(Remainder.whole(prompt), steps):
            if issue.remedy in ("Give the brackets around it more steps.", "Draw more steps."):
                continue
            found = STEPS.match(issue.remedy)
            assert found is not None, issue
            first, last = (int(found[name] or found["only"]) for name in ("first", "last"))
            assert first <= last
            fraction = issue.remedy.removesuffix(".").split()[-1]
            assert "." in fraction
            for number in (*range(first, last + 1), fraction):
                shown = prompt[issue.position :]
                at = issue.position + shown.index(when)
                there = f"{prompt[:at]}{number}{prompt[at + len(when) :]}"
                left = undrawn_edits(Remainder.whole(there), steps)
                assert [i for i in left if i.position == issue.position] == [], (there, left)

    cases = [
        ("[a:[b:c:0.31]:0.5]", "0.31"),
        ("[[a:b:0.71]:c:0.5]", "0.71"),
        ("[[a:b:0.99]|c]", "0.99"),
        ("[x:[a::1]:0.5]", "1]"[:-1]),
        ("[a:[b:[c:d:0.11]:0.6]:0.3]", "0.11"),
        ("y [x|[a:31]|z] w", "31"),
        ("p AND [a:[b:c:0.01]:0.5] :0.5", "0.01"),
        ("[a:b:0.01]", "0.01"),
        ("[a:b:0.99]", "0.99"),
    ]
    assert not failures_of(check, cases)


def test_an_edit_within_one_that_leaves_it_no_step():
    for prompt, steps in (("[a:[b:c:0.3]:8]", 10), ("[[a:b:5]:c:1]", 10), ("[a:[b:c:0.3]:18]", 20)):
        (issue,) = undrawn_edits(Remainder.whole(prompt), steps)
        assert issue.remedy == "Give the brackets around it more steps."
    (issue,) = undrawn_edits(Remainder.whole("[a:b:0.5]"), 2)
    assert issue.remedy == "Draw more steps."


def test_a_weight_in_square_brackets_is_said_where_it_is_drawn():
    def check(case):
        prompt, shown = case
        (issue,) = drawn_issues(prompt)
        words, when = shown[1:-1].rsplit(":", 1)
        when = when.strip()
        assert issue.code == "editing-number"
        assert issue.message == f"{shown!r} is prompt editing: a text that begins at {when}"
        assert prompt[issue.position :].startswith(shown)
        weight, editing = f"({words}:{when})", f"[:{shown[1:]}"
        assert issue.remedy == f"For a weight write {weight}; for editing write {editing}."
        for written in (weight, editing):
            assert misread_forms(Remainder.whole(prompt.replace(shown, written))) == ()
        drawn = [
            [(n, str(parts[0][0])) for n, parts in Conditioner(tower_l()).over_time(each, 20)]
            for each in (prompt, prompt.replace(shown, editing))
        ]
        assert drawn[0] == drawn[1]

    cases = [
        ("a cat, [smile:0.8]", "[smile:0.8]"),
        ("[blurry:0.5]", "[blurry:0.5]"),
        ("[smile:2]", "[smile:2]"),
        ("a, ([sad smile:0.7]), b", "[sad smile:0.7]"),
        ("1girl, [red hair:0.3], solo", "[red hair:0.3]"),
        ("([hat: 0.9])", "[hat: 0.9]"),
        ("a fox AND [cat:0.7]", "[cat:0.7]"),
        ("一只猫[帽子:0.8]", "[帽子:0.8]"),
    ]
    assert not failures_of(check, cases)
    silent = ["a cat[ in the snow:0.5]", "a [ hat:0.5]", "[hat:8]", "[:hat:0.8]", "[hat::0.8]",
              "[red:blue:0.8]", "[a (b:1.2):0.5]", "[10:0.5]", "play[ed:0.5]"]  # fmt: skip
    assert [prompt for prompt in silent if misread_forms(Remainder.whole(prompt))] == []
    assert [i.code for i in drawn_issues("[blurry:0.5]", negative=True)] == ["editing-number"]


def test_a_time_with_a_colon_for_its_point():
    def check(case):
        prompt, wanted = case
        said = [*issues(prompt, "a1111", None), *reduce(prompt)[1]]
        (issue,) = said
        assert issue.remedy.startswith(f"Write {wanted}"), issue
        assert never(wanted) == []
        assert len(reduce(wanted)[1]) == 1
        assert undrawn_edits(Remainder.whole(wanted), 20) == ()

    cases = [
        ("[cat:dog:0:5]", "[cat:dog:0.5]"),
        ("[cat:dog:0:25]", "[cat:dog:0.25]"),
        ("[cat:dog:0;5]", "[cat:dog:0.5]"),
        ("[cat:dog:0 5]", "[cat:dog:0.5]"),
        ("[cat:dog:0·5]", "[cat:dog:0.5]"),
        ("[cat:dog:0%]", "[cat:dog:0.5]"),
        ("[cat:dog:100%]", "[cat:dog:0.5]"),
        ("[:cat:0:5]", "[:cat:0.5]"),
        ("[cat::0:5]", "[cat::0.5]"),
        ("[cat:0:5]", "[cat:0.5]"),
        ("[red hat:0:35]", "[red hat:0.35]"),
    ]
    assert not failures_of(check, cases)


def test_an_edit_within_an_alternation_gets_brackets():
    def check(case):
        prompt, wanted = case
        (issue,) = issues(prompt, "a1111", None)
        assert issue.remedy == f"Write {wanted} in dialect 'a1111'."
        assert [i.code for i in reduce(wanted)[1]] == ["editing"]
        assert undrawn_edits(Remainder.whole(wanted), 20) == ()

    cases = [
        ("[cat:dog:0.5|fox]", "[[cat:dog:0.5]|fox]"),
        ("[fox|cat:dog:0.5|bear]", "[fox|[cat:dog:0.5]|bear]"),
        ("[cat::0.5|fox]", "[[cat::0.5]|fox]"),
        ("[:cat:0.5|fox]", "[[:cat:0.5]|fox]"),
        ("[cat:dog:0.5|fox:bear:0.3]", "[[cat:dog:0.5]|[fox:bear:0.3]]"),
        ("[cat:dog:5|fox]", "[[cat:dog:5]|fox]"),
        ("[cat:dog:1.5|fox]", "[[cat:dog:0.5]|fox]"),
        ("[(cat:1.2):dog:0.5|fox]", "[[(cat:1.2):dog:0.5]|fox]"),
        ("[red:blue:0.5|(green:1.2)]", "[[red:blue:0.5]|(green:1.2)]"),
    ]
    assert not failures_of(check, cases)
