"""`check` and `max_chunks` of prompts over time: all that a pipeline would draw counts."""

import warnings

import pytest

from clipcond import Conditioner, load_tower
from clipcond.errors import PromptSyntaxError
from tests.failures import failures_of
from tests.parity.models import tower_l

LONG = "dog, " * 100


@pytest.fixture(scope="module")
def limited():
    return Conditioner(tower_l(), max_chunks=1)


@pytest.mark.parametrize(
    "prompt",
    [
        "a cat AND (b:1.2.3)",
        "a [(b:1.2.3):cat:0.5]",
        "a [cat|(b:1.2.3)]",
        "x AND y AND [(b:.):c:5]",
    ],
)
def test_what_a_pipeline_would_refuse_is_refused(prompt):
    with pytest.raises(PromptSyntaxError):
        Conditioner(tower_l()).check(prompt)


@pytest.mark.parametrize(
    "prompt",
    [f"a cat AND {LONG}", f"a [{LONG}:cat:0.5]", f"a [cat:{LONG}:0.5]", f"[cat|{LONG}]"],
)
def test_a_cut_at_any_step_is_an_issue(limited, prompt):
    assert "prompt-cut" in [issue.code for issue in limited.check(prompt)]


def test_issues_of_later_parts_are_listed_once_and_in_the_prompt():
    conditioner = Conditioner(load_tower("embedded"))
    prompt = "a cat AND a xylophone AND (dog:100) AND [{red|blue} dog:a dog):0.5]"

    issues = conditioner.check(prompt)

    found = {issue.code: prompt[issue.position] for issue in reversed(issues)}  # the first of each
    assert {"and", "unread-words", "weight", "random-choice", "bracket"} <= found.keys()
    assert found["weight"] == "d"
    assert found["bracket"] == ")"
    assert len(set(issues)) == len(issues)


def test_what_is_lost_is_an_issue():
    cases = {
        "a BREAK": (1, None),
        "BREAK": (1, None),
        "a BREAK BREAK": (1, "BREAK"),
        "BREAK BREAK": (1, "BREAK"),
        "a BREAK BREAK BREAK": (2, "BREAK"),
        "a BREAK b BREAK BREAK": (2, "BREAK"),
        "a BREAK BREAK b c": (1, "b"),
        "a BREAK BREAK (b c:1.2)": (2, "b c"),
        "BREAK a": (1, "a"),
        "BREAK BREAK (red cat:1.1) dog": (1, "red"),
    }
    for prompt, (limit, lost) in cases.items():
        conditioner = Conditioner(tower_l(), max_chunks=limit)
        issues = conditioner.check(prompt)
        with warnings.catch_warnings(action="ignore"):
            assert len(conditioner.chunks(prompt)) <= limit
        at = [prompt[i.position :] for i in issues if i.code == "prompt-cut"]
        assert len(at) == (lost is not None), prompt
        assert all(rest.startswith(lost) for rest in at)


def test_parts_beyond_the_limit_are_dropped_with_an_issue(limited):
    prompt = "a cat" + " AND a dog :0.01" * 59 + " AND a fox"
    (timed,) = limited.over_time(prompt, 20)

    assert [str(text) for text, _ in timed[1]] == ["a cat"]
    (issue,) = [issue for issue in limited.check(prompt) if issue.code == "prompt-cut"]
    assert issue.message == (
        "AND makes 61 parts of a chunk or more each; max_chunks takes 1 in all; dropped: "
        "'a dog :0.01 AND a dog :0.01 AND a dog :0.01 AND a dog :0....'"
    )
    assert prompt[issue.position :].strip() == issue.words[0] == prompt[10:]


def test_without_a_limit_all_parts_are_drawn():
    prompt = "a cat" + " AND a dog :0.01" * 60
    (timed,) = Conditioner(tower_l()).over_time(prompt, 20)

    assert len(timed[1]) == 61


def test_a_prompt_that_never_changes_is_checked_once(limited):
    assert [issue.code for issue in limited.check("a (cat")] == ["bracket"]


def test_one_number_behind_an_edit_or_in_a_condition_is_one_issue():
    conditioner = Conditioner(tower_l())
    cases = {
        "[cat:dog:0.5]:1.2": ":1.2",
        "a [cat|dog|fox]:0.8, sky": ":0.8",
        "a fox, ([cat:dog:0.5]):1.2": None,  # nothing behind the edit itself
        "cat AND dog:0.5, sky": ":0.5",
        "猫 AND 狗：0.5，背景": "：0.5",
        "猫 AND 狗：0.5": "狗：0.5",
        "猫 AND 狗（0.5）": "狗（0.5）",
        "cat:1.2 in a hat AND dog": ":1.2",
    }
    for prompt, words in cases.items():
        found = [i for i in conditioner.check(prompt) if i.code in ("weight", "and-weight")]
        if words is not None:
            assert [i.words for i in found] == [(words,)], (prompt, found)
        assert found
    other = conditioner.check("[cat:dog:0.5]:1.2, (fox=1.2)")
    assert [i.words for i in other if i.code == "weight"] == [(":1.2",), ("(fox=1.2)",)]
    other = conditioner.check("cat AND (dog=1.2), sky:0.5, sea")
    assert {"(dog=1.2)", ":0.5"} <= {word for i in other for word in i.words}


def test_a_limit_counts_a_part_as_a_chunk():
    def check(case):
        prompt, limit, lost = case
        conditioner = Conditioner(tower_l(), max_chunks=limit)
        cut = [issue.words for issue in conditioner.check(prompt) if issue.code == "prompt-cut"]
        assert cut == ([(lost,)] if lost else [])
        first = conditioner.over_time(prompt, 20)[0][1]
        assert len(first) == min(limit, len(first)) if lost else len(first) <= limit

    cases = [
        ("a cat AND a dog", 1, "a dog"),
        ("a cat AND a dog", 2, ""),
        ("a AND b AND c d :0.5", 2, "c d"),
        ("BLACK AND WHITE", 1, ""),
        ("# x AND y\na AND b", 1, "b"),
        ("a AND [b:c:0.5]", 1, "[b:c:0.5]"),
    ]
    assert not failures_of(check, cases)
    assert Conditioner(tower_l(), max_chunks=1).check("a AND b", negative=True) == ()


def test_what_is_cut_is_shown_as_it_was_typed():
    """CLIP's BPE has bytes only for most Chinese characters."""

    def check(case):
        prompt, begins = case
        conditioner = Conditioner(tower_l(), max_chunks=1)
        (issue,) = [i for i in conditioner.check(prompt) if i.code == "prompt-cut"]
        (lost,) = issue.words
        assert "\\x" not in issue.message
        assert lost.startswith(begins)
        assert prompt[issue.position :].startswith(begins)
        assert repr(lost) in issue.message

    cases = [
        ("cat " * 75 + "一只红色的猫", "一只红色的猫"),
        ("猫" * 80, "猫猫"),
        ("cat " * 75 + "（狗：1.2），树", "（狗：1.2），树"),
        ("cat " * 75 + "ねこ", "ねこ"),
        ("cat " * 75 + "red fox", "red fox"),
    ]
    assert not failures_of(check, cases)
