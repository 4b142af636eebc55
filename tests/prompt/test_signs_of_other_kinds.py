"""Signs next to BREAK, in NovelAI's weights and of a page's source: named, and followed."""

import ast
import re

import pytest

from clipcond.prompt import Break, Issue, parse
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.text_layers import take_out
from tests.failures import failures_of


def issues(prompt: str, syntax: str) -> tuple[Issue, ...]:
    return with_lookalikes(parse(prompt, syntax), fullwidth=None).issues


def followed(prompt: str, issue: Issue) -> str:
    (words,) = issue.words
    assert prompt[issue.position :].startswith(words)
    text = re.sub(r"^(Write|For text write) |\.$", "", issue.remedy)
    text = ast.literal_eval(text) if text.startswith("'") else text
    return prompt[: issue.position] + text + prompt[issue.position + len(words) :]


def weighted(prompt: str, syntax: str) -> list[tuple[str, float]]:
    found = [(s.text.strip(" ,"), s.weight) for s in parse(prompt, syntax).segments]
    return [(text, pytest.approx(weight, rel=0.01)) for text, weight in found if text]


def test_signs_next_to_a_break():
    def check(prompt):
        (issue,) = issues(prompt, "a1111")
        assert issue.message.endswith("is a new chunk whose other signs stay text")
        there = followed(prompt, issue)
        assert issues(there, "a1111") == ()
        before, parted, after = parse(there, "a1111").parts
        assert isinstance(parted, Break)
        assert (before.text, after.text) == ("a cat", "a dog")

    cases = ["a cat <BREAK> a dog", "a cat | BREAK | a dog", "a cat BREAK! a dog"]
    cases += ["a cat {BREAK} a dog", "a cat|BREAK|a dog", "a cat --BREAK-- a dog"]
    cases += ["a cat === BREAK === a dog", "a cat **BREAK** a dog", "a cat BREAK: a dog"]
    cases += [
        "a cat <BREAK>a dog",
        "a cat BREAK; a dog",
        "a cat / BREAK a dog",
        "a cat BREAK. a dog",
    ]
    assert not failures_of(check, cases)
    silent = [
        "a, BREAK, b",
        "a BREAK b",
        "BREAK",
        "a.\nBREAK\nb",
        "a BREAK (b:1.2)",
        "a BREAKfast!",
    ]
    assert [p for p in silent if any(i.code == "break-signs" for i in issues(p, "a1111"))] == []


def test_a_break_in_braces_is_no_weight():
    for syntax in ("comfyui", "lpw", "sd_embed", "compel", "diffusers"):
        for prompt in ("a cat {BREAK} a dog", "{{BREAK}} a", "x { BREAK } y"):
            issue = issues(prompt, syntax)[0]
            assert issue.remedy == "Leave it out, or choose dialect 'a1111'."


def test_a_number_that_goes_on_behind_its_brackets():
    def check(case):
        prompt, wanted = case
        (issue,) = issues(prompt, "novelai")
        assert "acts on what is behind" in issue.message
        there = followed(prompt, issue)
        assert issues(there, "novelai") == ()
        assert weighted(there, "novelai") == wanted

    cases = [
        ("{1.2::cat}, dog", [("cat", 1.26), ("dog", 1.0)]),
        ("girl, {1.2::cat, dog}, fox", [("girl", 1.0), ("cat, dog", 1.26), ("fox", 1.0)]),
        ("[2::a b], c", [("a b", 1.905), ("c", 1.0)]),
        ("{{1.1::cat}} dog", [("cat", 1.2128), ("dog", 1.0)]),
        ("{a 1.3::b}, c", [("a", 1.05), ("b", 1.365), ("c", 1.0)]),
    ]
    assert not failures_of(check, cases)
    (issue,) = issues("{1.2::" + "cat " * 40 + "} dog", "novelai")
    assert issue.remedy == "Write '::' before '}'."
    silent = ["{1.2::cat::}, dog", "1.2::{cat}, dog", "1.2::a {b}::", "{a} 1.2::b", "1.2::{cat::}"]
    assert [p for p in silent if issues(p, "novelai")] == []


def test_weights_of_novelai_in_other_signs():
    def check(case):
        prompt, wanted = case
        (issue,) = [i for i in issues(prompt, "novelai") if i.code == "novelai-weight"]
        there = followed(prompt, issue)
        assert issues(there, "novelai") == ()
        assert weighted(there, "novelai") == wanted

    cases = [
        ("—1::cat::", [("cat", -1.0)]),
        ("–1::text, logo::, cat", [("text, logo", -1.0), ("cat", 1.0)]),
        ("- 1::cat::", [("cat", -1.0)]),
        ("a dog, –0.5::cat:: x", [("a dog", 1.0), ("cat", -0.5), ("x", 1.0)]),
        ("― 2::cat::", [("cat", -2.0)]),
        ("1·2::cat::", [("cat", 1.2)]),
        ("0•8::cat::, b", [("cat", 0.8), ("b", 1.0)]),
        ("1'5::cat::", [("cat", 1.5)]),
        ("1.2∷cat∷", [("cat", 1.2)]),
        ("1.2::cat∷, dog", [("cat", 1.2), ("dog", 1.0)]),
        ("1.2∷cat::, dog", [("cat", 1.2), ("dog", 1.0)]),
        ("{cat:1.2::}", [("cat", 1.2)]),
        ("(red cat:1.2::), dog", [("red cat", 1.2), ("dog", 1.0)]),
        ("[cat:0.8::] dog", [("cat", 0.8), ("dog", 1.0)]),
        ("(1.2::cat), dog", [("cat", 1.2), ("dog", 1.0)]),
        ("a (0.5::red hat) b", [("a", 1.0), ("red hat", 0.5), ("b", 1.0)]),
        ("3::1 ratio", [("3:1 ratio", 1.0)]),
        ("a 3::2 photo", [("a 3:2 photo", 1.0)]),
        ("score 2::0", [("score 2:0", 1.0)]),
    ]
    assert not failures_of(check, cases)
    silent = ["-1::cat::", "2::1girl::", "2::1 girl::", "1.2::cat:: - 2 dogs", "2::1girl"]
    assert [p for p in silent if issues(p, "novelai")] == []
    for prompt, weight in (("—1::cat::", -1), ("1.2∷cat∷", 1.2)):
        (issue,) = issues(prompt, "a1111")
        assert issue.remedy == f"Write (cat:{weight})."


def test_a_character_of_a_page_that_begins_a_comment():
    def check(case):
        prompt, wanted = case
        (issue,) = take_out(prompt)[2]
        plain, entity = re.fullmatch(r"Write (.*) in place of (.*)\.", issue.remedy).groups()
        assert prompt.replace(ast.literal_eval(entity), ast.literal_eval(plain)) == wanted
        assert take_out(wanted)[0].text == wanted

    cases = [
        ("it&#39;s a cat, (dog:1.2)", "it's a cat, (dog:1.2)"),
        ("a &amp;#39;cat", "a 'cat"),
        ("caf&#233; sign", "café sign"),
        ("a &#x27;b", "a 'b"),
        ("1 &#60; 2", "1 < 2"),
    ]
    assert not failures_of(check, cases)
    for prompt in ("a # b", "a & b #39; c", "&#; x"):
        assert "extra_networks=False" in take_out(prompt)[2][0].remedy


def test_whole_numbers_that_are_no_weights():
    for syntax in ("compel", "novelai", "diffusers"):
        for prompt in ("(year:1990)", "(iso:100), night", "(fingers:5)", "(http://a.b:8080)",
                       "(score: 17)", "(version:17.4)", "(port:443)"):  # fmt: skip
            assert issues(prompt, syntax) == (), (syntax, prompt)
        for prompt in ("(cat:1.3)", "(cat:2)", "(cat: 1.2)", "(cat:.5)", "(cat:-1)"):
            assert [i.code for i in issues(prompt, syntax)] == ["other-dialect"], (syntax, prompt)


def test_quotes_in_brackets():
    for prompt in ('print("hello: 1")', "say('a: 2')", 'f("x:1.2") on a screen', 'log("n: 0.5")'):
        assert issues(prompt, "a1111") == ()
    for prompt, wanted in (('("cat: 1")', "(cat:1)"), ("a ('dog: 1.2')", "(dog:1.2)"),
                           ('("red cat:1.3")', "(red cat:1.3)")):  # fmt: skip
        (issue,) = issues(prompt, "a1111")
        assert issue.remedy == f"Write {wanted}."
