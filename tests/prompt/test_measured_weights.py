"""Weights of words that numbers mostly measure are warned of in a list; a measure is not."""

import pytest

from clipcond.prompt import parse
from clipcond.prompt.notations import BRACKETS, EXCEPT_PLAIN
from tests.failures import failures_of
from tests.prompt.test_misreadings import issues, proposed, texts
from tests.prompt.test_remedies_in_place import followed, read

RAISING = frozenset({"a1111", "lpw", "lpw_xl", "sd_embed"})  # where 1..3 is an error


def reads_as(prompt, words, weight, syntaxes):
    """Follow the first remedy: the weight is read, and nothing more is said of it."""
    for syntax in sorted(syntaxes):
        issue = next(i for i in issues(prompt, syntax) if i.code != "bracket")
        assert prompt[issue.position :].startswith(issue.words[0])
        there = prompt.replace(issue.words[0], proposed(issue), 1)
        target = "a1111" if "'a1111'" in issue.remedy else syntax
        assert (words, pytest.approx(weight)) in texts(there, target), (syntax, there)
        assert len(issues(there, target)) < len(issues(prompt, syntax)), (syntax, there)


def test_measured_words():
    def check(case):
        prompt, words, weight = case
        reads_as(prompt, words, weight, EXCEPT_PLAIN)
        assert not issues(prompt, "plain")

    cases = [
        ("portrait:1.3", "portrait", 1.3),
        ("a portrait:1.2 of a woman", "portrait", 1.2),
        ("4k:1.3", "4k", 1.3),
        ("a cat, 8K:0.5", "8K", 0.5),
        ("python:1.2", "python", 1.2),
        ("a side view:1.4, 1girl", "view", 1.4),
        ("a cat, zoom:1.3", "zoom", 1.3),
        ("exposure:1.3, a red fox", "exposure", 1.3),
        ("masterpiece, soft blur:0.7, night", "soft blur", 0.7),
        ("1girl\nscale:1.2", "scale", 1.2),
        ("best quality, size:1.1, sky", "size", 1.1),
        ("rainy street, film grain, exposure:1.3", "exposure", 1.3),
        ("depth:0.8, rainy street, film grain", "depth", 0.8),
        ("weight:1.3, old dragon", "weight", 1.3),
        ("a cat, ratio:1.3", "ratio", 1.3),
        ("一只猫x1.3，狗", "一只猫", 1.3),
        ("猫x1.3", "猫", 1.3),
        ("《猫》：1.3，狗", "猫", 1.3),
        ("a {猫:1.3}, b", "猫", 1.3),
        ('"a cat":0.5 "a dog"', "a cat", 0.5),
        ('"a cat":0.5 (dog)', "a cat", 0.5),
        ("(dog-1.3)", "dog", 1.3),
        ("(red fox.1.3)", "red fox", 1.3),
        ("(猫·1.3)", "猫", 1.3),
        ("(dog);1.3", "dog", 1.3),
        ("(dog)_1.3, b", "dog", 1.3),
        ("(weight:1.3 dog)", "dog", 1.3),
        ("(dog: :1.3)", "dog", 1.3),
        ("(dog|:1.3)", "dog", 1.3),
        ("a (red dog;:1.3), b", "red dog", 1.3),
        ("(dog:1.3. red fox)", "dog", 1.3),
        ("(dog)-1.3", "dog", 1.3),
        ("(red dog)+0.3, b", "red dog", 1.3),
    ]
    assert not failures_of(check, cases)


def test_measures_are_ordinary():
    for prompt in (
        "zoom:1.3",
        "scale:1.5",
        "a cat, scale:1.3, size:1.5",
        "a cat, focal length:1.4",
        "portrait, freckles, red hair, aperture:1.8",
        "1girl, height:1.7, solo",
        "masterpiece, best quality, temperature:0.7",
        "a robot, night, top_p:0.9",
        "1boy, solo, sd:1.5",
    ):
        for syntax in sorted(EXCEPT_PLAIN):
            assert issues(prompt, syntax) == [], (prompt, syntax)


def test_numbers_with_a_dot_too_many():
    def check(prompt):
        reads_as(prompt, "red dog", 1.3, EXCEPT_PLAIN - RAISING)
        for syntax in sorted(RAISING):
            with pytest.raises(ValueError, match="is not a number"):
                parse(prompt, syntax)

    numbers = ("1..3", "1.3.", ".1.3")
    assert not failures_of(check, [f"a (red dog:{number}), b" for number in numbers])
    assert issues("(version:1.2.)", "compel") == []


def test_a_backslash_before_a_colon():
    for syntax in sorted(BRACKETS):
        (issue,) = issues(r"a (red dog\:1.3), b", syntax)
        assert issue.message.endswith("no backslash makes text of a colon")
        assert issue.remedy.startswith("Write (red dog:1.3), or write '\\('")
        assert issues(r"a \(red dog:1.3\), b", syntax) == []
    for syntax in ("compel", "novelai"):
        there, target = followed(r"a (red dog\:1.3), b", syntax)
        assert ("red dog", 1.3) in read(there, target)


def test_a_bracket_never_opened():
    def check(case):
        prompt, words, weight = case
        for syntax in sorted(EXCEPT_PLAIN):
            (issue,) = issues(prompt, syntax)
            assert issue.message.endswith("its bracket is never opened")
        reads_as(prompt, words, weight, EXCEPT_PLAIN)

    cases = [
        ("a cat dog:1.3)", "dog", 1.3),
        ("(red dog):1.3)", "red dog", 1.3),
        ("猫:1.2)", "猫", 1.2),
        ("blue-eyes :1.1)", "blue-eyes", 1.1),
    ]
    assert not failures_of(check, cases)
    for prompt in ("((dog):1.3)", "(a (dog):1.3)", "(happy :) girl:1.2)"):
        for syntax in sorted(BRACKETS):
            found = [i.message for i in issues(prompt, syntax)]
            assert not [message for message in found if "never opened" in message], prompt


def test_a_bracket_never_closed():
    def check(case):
        prompt, wanted = case
        for syntax in ("diffusers", "novelai"):
            issue = issues(prompt, syntax)[-1]
            assert issue.message.endswith("its bracket is never closed")
            there = prompt.replace(issue.words[0], proposed(issue))
            target = "a1111" if syntax == "diffusers" else syntax
            assert [each for each in read(there, target) if each[1] != 1.0][-1:] == [wanted], there

    cases = [
        ("(dog:1.3", ("dog", 1.3)),
        ("a (dog :1.3", ("dog", 1.3)),
        ("(dog, fox: 1.3", ("dog, fox", 1.3)),
        ("(dog:1.3 fox", ("dog", 1.3)),
        ("(dog:1.2, fox", ("dog", 1.2)),
    ]
    assert not failures_of(check, cases)
    for prompt in ("(dog, fox: 1.3", "(dog:1.3 fox", "(a cat:1.2 dog:1.3"):
        for syntax in sorted(BRACKETS | {"compel"}):
            assert [i.code for i in issues(prompt, syntax)] == ["bracket"], (prompt, syntax)


def test_remedies_agree_with_what_they_are_about():
    """No remedy leads to a warning that takes it back."""
    found = [(i.words[0], i.remedy) for i in issues("a cat::2, big dog::1, owl", "a1111")]
    assert found == [
        ("a cat::2", "Leave it out; a weight is (a cat:2)."),
        ("big dog::1", "Leave it out; a weight is (big dog:1)."),
    ]
    assert issues("[dog=fox:0.5]", "compel")[0].remedy.startswith(
        "For a weight write (dog=fox:0.5) in dialect 'a1111'"
    )
    for syntax, prompt in (
        *((syntax, r"\(dog:1.3\)") for syntax in ("diffusers", "novelai")),
        *((syntax, r"\[dog:fox:0.5\]") for syntax in ("comfyui", "compel", "diffusers", "novelai")),
        *((syntax, "([dog|fox]:1.2)") for syntax in ("compel", "diffusers")),
    ):
        assert {i.remedy for i in issues(prompt, syntax)} == {"Choose dialect 'a1111'."}, prompt
        assert issues(prompt, "a1111") == []
    for syntax in ("comfyui", "compel", "diffusers", "novelai"):
        assert [i.remedy for i in issues("[BREAK]", syntax)] == ["Leave it out."]
    for syntax in sorted(EXCEPT_PLAIN - {"comfyui"}):
        (issue,) = issues("embedding:dir/name", syntax)
        assert (issue.words, "bare name, name," in issue.remedy) == (("embedding:dir/name",), True)


def test_a_number_that_is_a_tag_of_its_own():
    def check(case):
        prompt, shown, meant = case
        (issue,) = issues(prompt, "a1111", "weight")
        assert issue.message == f"{shown!r} is no weight: the number alone is in brackets"
        assert issue.position == prompt.index(shown)
        assert issue.remedy in (f"Write {meant}.", f"Write the number inside: {meant}.")
        assert issues(prompt.replace(shown, meant), "a1111") == []

    cases = [
        *(("cat, (1.3)", "cat, (1.3)", "(cat:1.3)"), ("cat,(0.8)", "cat,(0.8)", "(cat:0.8)")),
        *(("a red cat, (1.3), b", "a red cat, (1.3)", "(a red cat:1.3)"),),
        *(("a, 猫，（1.3）", "猫，（1.3）", "(猫:1.3)"), ("猫、(1.3)", "猫、(1.3)", "(猫:1.3)")),
        *(("cat; [1.3]", "cat; [1.3]", "(cat:1.3)"), ("cat, ((1.3))", "cat, ((1.3))", "(cat:1.3)")),
        *(("cat, (x1.3)", "cat, (x1.3)", "(cat:1.3)"), ("(1.3), cat", "(1.3), cat", "(cat:1.3)")),
        *(("(1.3) cat", "(1.3) cat", "(cat:1.3)"), ("(0.8)dog, b", "(0.8)dog", "(dog:0.8)")),
        *(("a cat, blue sky, (1.3)", "blue sky, (1.3)", "(blue sky:1.3)"),),
        *(("b, (cat), (1.3)", "(cat), (1.3)", "(cat:1.3)"),),
    ]
    assert not failures_of(check, cases)
    for prompt in (
        *("version, (1.3)", "soup, (1.50)", "see equations, (1.1)", "(1.1), (1.2), (1.3)", "(1.3)"),
        *("cat, (2)", r"cat, \(1.3\)", "the room is, (1.3)", "光圈，（1.8）", "(1.1) introduction"),
        *("a river delta, scale bar, (0.5)", "Chapter four, (1.2), illustrated", "night, (1.3)"),
        *("see Theorem 3, (1.1), diagrams", "apples, (0.5), pears, (0.8)"),
        *("Euler's identity and its proof, (1.4)", "a cat, its proof, (1.4)"),
    ):
        assert issues(prompt, "a1111", "weight") == [], prompt
