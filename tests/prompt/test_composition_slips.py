"""In a prompt that AND splits, numbers that are read otherwise than meant are warned of."""

import re

from clipcond.prompt import Issue, compose, reduce_to_one_text
from clipcond.prompt.reduction import misread_forms, reduce
from clipcond.prompt.remainder import Remainder
from tests.failures import failures_of


def issues(prompt: str) -> list[Issue]:
    return [issue for issue in reduce_to_one_text(prompt)[1] if issue.code != "and"]


def mended(prompt: str, issue: Issue) -> str:
    """Do what an issue says, in the place that it says."""
    (proposal,) = re.findall(r"rite '(.+)'\.", issue.remedy)
    (words,) = issue.words
    assert prompt[issue.position :].startswith(words)
    return prompt[: issue.position] + proposal + prompt[issue.position + len(words) :]


def test_a_number_that_is_no_weight():
    def check(case):
        prompt, conditions = case
        while found := issues(prompt):
            assert "ends in no weight of a condition" in found[0].message
            prompt = mended(prompt, found[0])
        assert [(text.strip(), weight) for text, weight in compose(prompt)] == conditions

    cases = [
        ("a AND b:0,5", [("a", 1), ("b", 0.5)]),
        ("a AND b : 50%", [("a", 1), ("b", 0.5)]),
        ("a AND b 0.5", [("a", 1), ("b", 0.5)]),
        ("a cat:0.7, AND a dog:0.3.", [("a cat", 0.7), ("a dog", 0.3)]),
        ("a cat =0.7 AND a dog", [("a cat", 0.7), ("a dog", 1)]),
        ("a cat AND a dog::0.5", [("a cat", 1), ("a dog", 0.5)]),
        ("a cat AND a dog *0.5", [("a cat", 1), ("a dog", 0.5)]),
        ("a cat (0.5) AND a dog x1.2", [("a cat", 0.5), ("a dog", 1.2)]),
        ("a cat:1/2 AND a dog", [("a cat", 0.5), ("a dog", 1)]),
        ("a cat AND a dog :O.5", [("a cat", 1), ("a dog", 0.5)]),
        ("a cat:l.2 AND a dog", [("a cat", 1.2), ("a dog", 1)]),
        ("猫：1.2 AND 狗：0.4", [("猫", 1.2), ("狗", 0.4)]),
    ]
    assert not failures_of(check, cases)


def test_a_number_that_is_no_weight_but_is_read_as_one():
    def check(case):
        prompt, conditions = case
        (issue,) = issues(prompt)
        assert "ends in the weight" in issue.message
        prompt = mended(prompt, issue)
        assert issues(prompt) == []
        assert [(text.strip(), weight) for text, weight in compose(prompt)] == conditions

    cases = [
        ("10:30 AND night", [("10:30", 1), ("night", 1)]),
        ("night AND at 7:05", [("night", 1), ("at 7:05", 1)]),
        ("16:9 AND b :.5", [("16:9", 1), ("b", 0.5)]),
        ("a girl, smile :3 AND dog", [("a girl, smile :3", 1), ("dog", 1)]),
        ("word " * 90 + "10:30 AND dog", [("word " * 90 + "10:30", 1), ("dog", 1)]),
        ("John 3:16 AND light", [("John 3:16", 1), ("light", 1)]),
        ("a AND b:100", [("a", 1), ("b:100", 1)]),
    ]
    assert not failures_of(check, cases)


def test_what_is_meant_is_silent():
    prompts = ["a cat :1.2 AND a dog :-0.4", "a AND b", "a AND (b:1.2)", "a AND b:0", "a AND b :2"]
    prompts += ["version 1.5 AND b", "price: 50% AND x", "a AND (b):0.5", "aspect ratio:1.5, AND b"]
    assert [issue for prompt in prompts for issue in issues(prompt)] == []


def test_and_in_a_title():
    def check(prompt):
        (issue,) = misread_forms(Remainder.whole(prompt))
        assert misread_forms(Remainder.whole(prompt), negative=True) == ()
        assert (issue.code, prompt[issue.position :][:3]) == ("and-in-title", "AND")
        assert compose(prompt.replace("AND", "And")) == ((prompt.replace("AND", "And"), 1.0),)

    cases = [
        "BLACK AND WHITE cat",
        'a poster "ROCK AND ROLL"',
        "TAKE AND GO, a shop",
        "a banner “SALT AND PEPPER”",
        "the film LAW AND ORDER, detective",
        "a logo of BANG AND OLUFSEN on a speaker",
        "a cat, PORTRAIT OF A CAT AND A DOG",
        "a cat, A CAT, AND A DOG, 4k",
        "PLAN A AND B, a whiteboard",
        "masterpiece. I AND THE CAT. a cat",
        "кот, ЧЁРНЫЙ AND БЕЛЫЙ",
        '"Guns AND Roses" poster',
        'a "Rock AND Roll" t-shirt',
        "cat, “you AND me”",
        "a sign 「猫 AND 狗」",
        'a 12" disc, "you AND me" on it',
    ]
    assert not failures_of(check, cases)
    (issue,) = misread_forms(Remainder.whole("a cat, A CAT AND A DOG"))
    assert issue.message.endswith("in a title: 'a cat, A CAT' and 'A DOG'")
    (issue,) = misread_forms(Remainder.whole('cat AND dog, "you AND me"'))
    assert issue.position == 18
    silent = ['"cat" AND "dog"', 'a "cat" AND a "dog"', 'a 12" disc AND 14" pizza', '"a" AND b']
    silent += ["a CAT AND a dog", "(4K) AND a dog", "BLACK AND WHITE", "cat AND dog AND fox"]
    silent += ["a cat, 4K AND a dog, 8K", "a AND b", "A AND b", "猫 AND 狗", "🐱 AND 🐶"]
    assert [p for p in silent if misread_forms(Remainder.whole(p))] == []


def test_and_not_is_no_negation():
    for prompt, words in (("a cat AND NOT a dog", "a dog"), ("猫 AND NOT 狗 AND 鸟", "狗")):
        (issue,) = [i for i in reduce(prompt)[1] if i.code == "and-not"]
        assert issue.message == f"AND NOT draws {words!r} as well: it is no negation"
        assert f"'AND {words} :-1'" in issue.remedy
        assert prompt[issue.position :].startswith(f"AND NOT {words}")
        there = prompt.replace(issue.words[0], f"AND {words} :-1")
        assert (f" {words}", -1.0) in compose(there)
        assert misread_forms(Remainder.whole(prompt)) == ()
    assert [i.code for i in reduce("a cat AND a dog, NOT a fox")[1]] == ["and"]


def test_and_with_nothing_on_one_side():
    def check(case):
        prompt, side, position = case
        (issue,) = misread_forms(Remainder.whole(prompt))
        assert misread_forms(Remainder.whole(prompt), negative=True) == ()
        assert issue.message == f"nothing is {side} AND: an empty condition is drawn as well"
        assert (issue.code, issue.position) == ("and-empty", position)

    cases = [
        *(("a AND", "behind", 2), ("a cat AND ", "behind", 6), ("AND a", "before", 0)),
        *((", AND a cat", "before", 2), ("a cat AND, ", "behind", 6), ("a AND AND b", "behind", 2)),
        *(("AND", "behind", 0), ("a AND :0.5", "behind", 2), ("a AND b AND", "behind", 8)),
    ]
    assert not failures_of(check, cases)


def test_an_edit_that_and_splits_is_none():
    for prompt in ("[a cat AND a dog:0.5]", "x [hat AND cat:0.8], b"):
        assert misread_forms(Remainder.whole(prompt)) == ()
        assert misread_forms(Remainder.whole(prompt), negative=True) != ()
    (number,) = misread_forms(Remainder.whole("a cat AND a [3:2] dog"))
    assert (number.code, number.position) == ("editing-number", 12)
