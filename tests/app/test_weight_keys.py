"""Ctrl+Up and Ctrl+Down: the weight that is written is the weight that the dialect reads."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.app.weight_keys import change_weight
from clipcond.prompt import Segment, parse

SYNTAXES = ["a1111", "comfyui", "compel", "lpw", "novelai", "sd_embed"]


def marked(text: str) -> tuple[str, int, int]:
    """Read `a |red| cat`: the prompt and the selection between the bars; `a r|ed` is a cursor."""
    before, *middle, after = text.split("|")
    selected = middle[0] if middle else ""
    return before + selected + after, len(before), len(before + selected)


@pytest.mark.parametrize(
    ("before", "dialect", "change", "after"),
    [
        ("a c|at", "a1111", 0.1, "a (|cat|:1.1)"),
        ("a cat|", "a1111", -0.1, "a (|cat|:0.9)"),
        ("a |red cat|, big", "a1111", 0.1, "a (|red cat|:1.1), big"),
        ("a| red |cat", "a1111", 0.1, "a (|red|:1.1) cat"),
        ("a (red c|at:1.1)", "a1111", 0.05, "a (|red cat|:1.15)"),
        ("a (|red|:1.1) cat", "a1111", -0.1, "a |red| cat"),
        ("a |(red:1.1)| cat", "a1111", 0.1, "a (|red|:1.2) cat"),
        ("a (r|ed)", "a1111", 0.1, "a (|red|:1.2)"),
        ("a ((r|ed)) cat", "a1111", 0.1, "a (|red|:1.3) cat"),
        ("a (((|red|)))", "sd_embed", -0.1, "a (|red|:1.2)"),
        ("a [r|ed] cat", "a1111", 0.1, "a |red| cat"),
        ("a [[|red|]]", "lpw", -0.1, "a (|red|:0.7)"),
        ("a ([r|ed])", "a1111", 0.1, "a (|red|:1.1)"),
        ("a [r|ed]", "comfyui", 0.1, "a [(|red|:1.1)]"),
        ("a [r|ed:cat:0.5]", "a1111", 0.1, "a [(|red|:1.1):cat:0.5]"),
        ("((red) f|ox)", "a1111", 0.1, "(|(red) fox|:1.2)"),
        ("a {r|ed}", "novelai", 0.1, "a 1.15::|red|::"),
        ("a [[r|ed]]", "novelai", 0.1, "a |red|"),
        ("((r|ed:1.2) fox:1.3)", "a1111", 0.1, "((|red|:1.3) fox:1.3)"),
        (r"a \(c|at\)", "a1111", 0.1, r"a \((|cat|:1.1)\)"),
        ("a (cat:1|.95)", "a1111", 0.05, "a (|cat|:2.0)"),
        ("a (cat:0.0|5)", "a1111", -0.1, "a (|cat|:0.0)"),
        ("<lora:st|yle:0.8> cat", "a1111", 0.1, "<lora:style:|0.9|> cat"),
        ("<lora:st|yle> cat", "a1111", -0.1, "<lora:style:|0.9|> cat"),
        ("猫|和狗", "a1111", 0.1, "(|猫和狗|:1.1)"),
        ("a c|at", "compel", 0.1, "a (|cat|)1.1"),
        ("a (cat)1.|1", "compel", 0.1, "a (|cat|)1.2"),
        ("a c|at++", "compel", 0.1, "a (|cat|)1.31"),
        ("a (r|ed cat)-", "compel", 0.1, "a |red cat|"),
        ("a (r|ed cat)", "compel", 0.1, "a (|red cat|)1.1"),
        ("a c|at", "novelai", 0.1, "a 1.1::|cat|::"),
        ("a 1.1::c|at::", "novelai", -0.1, "a |cat|"),
        ("a c|at", "plain", 0.1, "a c|at"),
        ("a c|at", "diffusers", 0.1, "a c|at"),
        ("a ,| b", "a1111", 0.1, "a ,| b"),
        ("|", "a1111", 0.1, "|"),
    ],
)
def test_what_is_written(before, dialect, change, after):
    assert tuple(change_weight(*marked(before), change, dialect)) == marked(after)


@given(
    st.sampled_from(SYNTAXES),
    st.lists(st.sampled_from(["red", "cat", "big dog", "猫"]), min_size=1, max_size=4),
    st.integers(0, 3),
    st.lists(st.sampled_from([0.1, -0.1, 0.05, -0.05]), min_size=1, max_size=8),
)
def test_the_dialect_reads_the_weight_that_was_asked_for(syntax, words, which, changes):
    text = ", ".join(words)
    word = words[which % len(words)]
    start = sum(len(each) + 2 for each in words[: which % len(words)])
    edited = (text, start, start + len(word))
    wanted = 1.0
    for change in changes:
        edited = change_weight(*edited, change, syntax)
        wanted = round(wanted + change, 2)

    assert edited[0][edited[1] : edited[2]] == word
    weights = {
        round(part.weight, 6)
        for part in parse(edited[0], syntax).parts
        if isinstance(part, Segment) and part.start <= edited[1] < part.stop
    }
    assert weights == {wanted}


def test_brackets_may_be_deep():
    deep = "(" * 9000 + "a" + ")" * 9000
    assert change_weight(deep, 9000, 9000, 0.1, "a1111") == ("(a:10.0)", 1, 2)
    deep = "[" * 9000 + "a" + "]" * 9000
    assert change_weight(deep, 9000, 9000, 0.1, "a1111") == ("(a:0.1)", 1, 2)


@given(
    st.text("ab ()[]:,.<>\\+-12|", max_size=30),
    st.integers(-3, 40),
    st.integers(-3, 40),
    st.sampled_from([0.1, -0.05]),
    st.sampled_from([*SYNTAXES, "plain"]),
)
def test_any_text_keeps_its_words(text, start, stop, change, dialect):
    edited = change_weight(text, start, stop, change, dialect)

    assert 0 <= edited.start <= edited.stop <= len(edited.text)
    letters = [character for character in text if character in "ab"]
    assert [character for character in edited.text if character in "ab"] == letters


@pytest.mark.parametrize("dialect", SYNTAXES)
@pytest.mark.parametrize("piece", ["(", ")", "(a:1.1)", "<a:", "1::", "a+", "\\(", "((a", ":1"])
def test_time_grows_with_the_length(dialect, piece):
    text = piece * (20_000 // len(piece))
    began = time.process_time()
    change_weight(text, 10_000, 10_000, 0.1, dialect)

    assert time.process_time() - began < 1
