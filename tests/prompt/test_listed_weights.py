"""Weights as other tools and programs list them are warned of, and read as meant once mended."""

import pytest

from clipcond.prompt import compose, reduce_to_one_text
from clipcond.prompt.notations import EXCEPT_PLAIN, plain_number
from tests.failures import failures_of
from tests.prompt.test_remedies import followed, issues, weighted

LISTS = [
    ("a cat:2 | dog:0.5", [("a cat", 2.0), ("dog", 0.5)]),
    ("a castle:1.5 | a dragon:2", [("a castle", 1.5), ("a dragon", 2.0)]),
    ("a red cat:2|dog:-1", [("a red cat", 2.0), ("dog", -1.0)]),
    ("cat | dog:0.5 | an old mill", [("dog", 0.5)]),
    ("night sky | glowing moss:1.2", [("glowing moss", 1.2)]),
    ("猫:2 | 狗:0.5", [("猫", 2.0), ("狗", 0.5)]),
    ("cat:2 dog:3", [("cat", 2.0), ("dog", 3.0)]),
    (
        "a red cat:2 blue dog:.5 big hat:1.2",
        [("a red cat", 2), ("blue dog", 0.5), ("big hat", 1.2)],
    ),
    ("cat: 1.2, dog: 0.8", [("cat", 1.2), ("dog", 0.8)]),
    ("spoon: 0.7; a red dress: 1.3", [("spoon", 0.7), ("a red dress", 1.3)]),
    ("sunset, masterpiece: 1.2", [("masterpiece", 1.2)]),
    ('[("cat", 1.2), ("dog", 0.8)]', [("cat", 1.2), ("dog", 0.8)]),
    ("[['cat', 1.2], ['a dog on a mat', .8]]", [("cat", 1.2), ("a dog on a mat", 0.8)]),
    ('(("a mill", 2), ("night", 0.8),)', [("a mill", 2.0), ("night", 0.8)]),
    ('("cat", 1.2), ("mill", 0.8)', [("cat", 1.2), ("mill", 0.8)]),
    ('[("cat", 1.2)]', [("cat", 1.2)]),
    ('{"cat": 1.2, "dog": 0.8}', [("cat", 1.2), ("dog", 0.8)]),
    ("cat => 1.2", [("cat", 1.2)]),
    ("blurry → 0.5, dog", [("blurry", 0.5)]),
    ("tree, red roof -> 1.3", [("red roof", 1.3)]),
    ("cat == 1.2", [("cat", 1.2)]),
    ("roof := 1.2", [("roof", 1.2)]),
    ("1.2:cat", [("cat", 1.2)]),
    ("0.8:red hat, mill", [("red hat", 0.8)]),
    ("tree, 0.8:red hat", [("red hat", 0.8)]),
    ("猫1.3倍", [("猫", 1.3)]),
    ("cat 1.2x, tree", [("cat", 1.2)]),
    ("red hat 1.5 ×", [("red hat", 1.5)]),
    ("cat 120%", [("cat", 1.2)]),
    ("猫130%，树", [("猫", 1.3)]),
    ("(cat:1~1.3)", [("cat", 1.3)]),
    ("(cat:0.8~1)", [("cat", 0.8)]),
    ("(red cat:1 to 1.4)", [("red cat", 1.4)]),
    ("(cat:1.2至1.5)", [("cat", 1.2)]),
    ("(cat:1½)", [("cat", 1.5)]),
    ("(cat:⅔)", [("cat", 0.667)]),
]
ORDINARY = [
    *("Italy:2 | France:1", "home:2 | away:1", "eggs:2 | milk:1", "level:2 | hp:10", "a | b | c"),
    *("str:2 dex:3", "red:2 blue:1", "protein: 1.2, fat: 0.8", "accuracy: 0.8, recall: 0.9"),
    *('{"loss": 0.5, "lr": 0.1}', '"cat", "dog"', "loss -> 0.5", "x => 1.2", "v1.2 -> v1.3"),
    *("1.2: cat anatomy", "放大1.3倍", "cat 100%", "cotton 120%", "zoom 1.2x", "50% cat, 50% dog"),
    *("(pages 1-3)", "cat => dog", "room 1½", 'a sign says ["cat", "dog"]'),
]


def test_lists_and_numbers():
    def check(case):
        prompt, wanted = case
        for syntax in sorted(EXCEPT_PLAIN):
            there, target = prompt, syntax
            for _ in range(3):
                if not [i for i in issues(there, target, None) if i.code != "prompt-mixing"]:
                    break
                there, target = followed(there, target, None)
            assert there != prompt, syntax
            target = "a1111" if target == "diffusers" else target
            assert issues(there, target, None) == [], (syntax, there)
            assert weighted(there, target) == wanted, (syntax, there)

    assert not failures_of(check, LISTS)


def test_commas_within_a_text_of_a_program():
    (issue,) = issues('[("a cat, red", 1.2), ("dog", 0.8)]', "a1111", None)
    assert issue.remedy == "Write (a cat, red:1.2), (dog:0.8)."


def test_lists_of_texts():
    cases = ['["cat", "dog"]', "['a red cat, hat']", '[ "cat" , "dog", ]', "['a', 'b', 'c']"]
    for prompt in cases:
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = issues(prompt, syntax, None)
            assert "as a program writes it" in issue.message
            assert issue.words == (prompt,)
    for syntax in sorted(EXCEPT_PLAIN - {"compel"}):
        assert "as a program" in issues("('cat', 'dog')", syntax, None)[0].message


def test_ordinary_lists_are_silent():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN - {"novelai"}):
            found = [i for i in issues(prompt, syntax, None) if i.code != "doubtful-weight"]
            assert found == [], syntax

    assert not failures_of(check, ORDINARY)


def test_numbers_of_a_range():
    cases = {"1~1.3": "1.3", "0.8-1.2": "0.8", "1.0 to 1.5": "1.5", "1½": "1.5", "¾": "0.75"}
    cases |= {"1-3": "1.3", "⅓": "0.333", "1/1.4": "1.4"}
    assert {typed: plain_number(typed) for typed in cases} == cases


def conditions(prompt: str) -> list[tuple[str, float]]:
    return [(text.strip(), weight) for text, weight in compose(prompt)]


def test_weights_before_their_conditions():
    def check(case):
        prompt, wanted = case
        while found := [i for i in reduce_to_one_text(prompt)[1] if i.code == "and-weight"]:
            issue = found[0]
            proposal = issue.remedy.split("'")[1]
            assert prompt[issue.position :].startswith(issue.words[0])
            end = issue.position + len(issue.words[0])
            prompt = prompt[: issue.position] + proposal + prompt[end:]
        assert conditions(prompt) == wanted

    cases = [
        ("0.5 cat AND 0.5 dog", [("cat", 0.5), ("dog", 0.5)]),
        ("0.5: a cat AND 0.5: a dog", [("a cat", 0.5), ("a dog", 0.5)]),
        ("a cat AND 0.7:a dog", [("a cat", 1), ("a dog", 0.7)]),
        ("0.7 * a cat AND a dog", [("a cat", 0.7), ("a dog", 1)]),
        ("1.2× a cat AND a dog", [("a cat", 1.2), ("a dog", 1)]),
        ("猫 AND 0.5：狗", [("猫", 1), ("狗", 0.5)]),
        ("cat AND dog^0.5", [("cat", 1), ("dog", 0.5)]),
        ("cat AND dog => 0.5", [("cat", 1), ("dog", 0.5)]),
        ("cat AND dog -> 0.5", [("cat", 1), ("dog", 0.5)]),
        ("cat ~1.2 AND dog", [("cat", 1.2), ("dog", 1)]),
    ]
    assert not failures_of(check, cases)
    issue = reduce_to_one_text("cat:-1, hat AND dog")[1][0]
    assert issue.remedy == "Write the condition 'cat, hat :-1'."
    for prompt in ("0.5 liter AND 1.5 cups", "1.5 years AND more", "0.5 mm pen AND 0.7 mm pen"):
        assert [i.code for i in reduce_to_one_text(prompt)[1]] == ["and"]


def test_a_weight_below_zero_of_a_whole_condition():
    def check(case):
        prompt, tag, number = case
        issue = next(i for i in reduce_to_one_text(prompt)[1] if i.code == "and-weight")
        assert "whole condition" in issue.message
        assert f"write '({tag}:{number})'; for all write '{tag} :{number}'." in issue.remedy
        both = {}
        for text in (f"({tag}:{number})", f"{tag} :{number}"):
            there = prompt.replace(issue.words[0], text)
            assert [i.code for i in reduce_to_one_text(there)[1]] == ["and"]
            both[text] = conditions(there)[1][1]
        assert list(both.values()) == [1, float(number)]

    cases = [
        ("a fox AND a cat, dog:-1", "dog", "-1"),
        ("a fox AND a cat, a red dog:-0.5", "a red dog", "-0.5"),
        ("a fox AND a cat, rain:-1.0 AND night", "rain", "-1.0"),
        ("a fox AND cat, hat, moon:-.5", "moon", "-.5"),
        ("fox AND big cat, dog:-2", "dog", "-2"),
    ]
    assert not failures_of(check, cases)
    for prompt in ("a fox AND dog:-1", "a fox AND a cat, dog :-1", "a fox AND a cat, dog:0.7"):
        assert [i.code for i in reduce_to_one_text(prompt)[1]] == ["and"], prompt


@pytest.mark.parametrize(
    "unit", ["cat:2 | ", "[('a', 1.2), ", "cat: 1.2, ", "0.5: a AND ", "a -> "]
)
def test_long_lists_are_linear(unit):
    text = unit * (50_000 // len(unit))
    assert len(issues(text, "a1111", None)) >= 0
    reduce_to_one_text(text)
