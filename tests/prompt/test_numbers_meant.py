"""Numbers and quotes that a remedy keeps as they were meant, in networks, weights and calls."""

import pytest

from clipcond.prompt import parse
from clipcond.prompt.notations import EXCEPT_PLAIN
from clipcond.prompt.text_layers import network_issues, take_out
from tests.failures import failures_of
from tests.prompt.test_remedies import followed, issues


def test_the_weight_of_a_network():
    def check(case):
        typed, number = case
        prompt = f"<lora:a:{typed}>"
        _, networks, _ = take_out(prompt)
        (issue,) = network_issues(prompt, networks, loaded=True)
        assert issue.remedy == f"Write <lora:a:{number}>."
        mended = f"<lora:a:{number}>"
        (network,) = take_out(mended)[1]
        assert network.weight == pytest.approx(float(number))
        assert [*network_issues(mended, [network], loaded=True)] == []

    cases = [
        *(("0。8", "0.8"), ("0、8", "0.8"), ("0；8", "0.8"), ("0·8", "0.8"), ("0 8", "0.8")),
        *(("０。８", "0.8"), ("0'8", "0.8"), ("-0。8", "-0.8"), ("o。8", "0.8"), ("0..8", "0.8")),
        *(("½", "0.5"), ("0@0,1@0.5", "1"), ("0.6-0.8", "0.6"), ("0.8)", "0.8"), ("0.8x", "0.8")),
    ]
    assert not failures_of(check, cases)


def test_a_weight_of_novelai_with_others_in_it():
    """Followed, each word has the product, as in brackets within brackets."""

    def check(case):
        prompt, remedy, wanted = case
        issue = issues(prompt, "a1111", None)[0]
        assert (issue.code, issue.words) == ("novelai-weight", (prompt,))
        assert issue.remedy.startswith(f"Write {remedy}, or choose")
        segments = parse(remedy, "a1111").segments
        assert issues(remedy, "a1111", None) == []
        found = [(s.text.strip(" ,"), pytest.approx(s.weight)) for s in segments]
        assert [each for each in found if each[0]] == wanted
        for syntax in sorted(EXCEPT_PLAIN - {"novelai"}):
            assert issues(prompt, syntax, None)[0].words == (prompt,), syntax

    cases = [
        ("0.5::a, (b:2), c::", "(a, (b:2), c:0.5)", [("a", 0.5), ("b", 1), ("c", 0.5)]),
        (
            "1.3::(red cat:1.2), dog::",
            "((red cat:1.2), dog:1.3)",
            [("red cat", 1.56), ("dog", 1.3)],
        ),
        ("2::big (hat:0.8)::", "(big (hat:0.8):2)", [("big", 2), ("hat", 1.6)]),
        ("1.2::girl, (hat: 1.5)::", "(girl, (hat: 1.5):1.2)", [("girl", 1.2), ("hat", 1.8)]),
        (
            "0.8::x, (a:2), (b:0.5)::",
            "(x, (a:2), (b:0.5):0.8)",
            [("x", 0.8), ("a", 1.6), ("b", 0.4)],
        ),
    ]
    assert not failures_of(check, cases)


def test_calls_and_quotations_are_no_weights():
    def check(prompt):
        for syntax in sorted(EXCEPT_PLAIN - {"compel"}):
            assert issues(prompt, syntax, None) == [], syntax

    cases = [
        *('print("hello: 1")', "console.log('a: 1')", 'print(f"hello: 1")', 'log("x: 2", y)'),
        *('say(r"room: 12"), door', "printf('a: 1.2')"),
    ]
    assert not failures_of(check, cases)


def test_quotes_around_a_weight_are_left_out():
    def check(case):
        prompt, words = case
        for syntax in ("a1111", "compel", "novelai", "comfyui"):
            there, target = followed(prompt, syntax, None)
            assert '"' not in there
            (segment,) = parse(there, target).segments
            assert (segment.text.strip(), segment.weight) == (words, pytest.approx(1.2))

    cases = [
        *(('("cat: 1.2")', "cat"), ('("red cat:1.2")', "red cat"), ('(a "cat: 1.2")', "a cat")),
        *(("(“cat: 1.2”)", "cat"), ('("a red hat : 1.2")', "a red hat")),
    ]
    assert not failures_of(check, cases)
