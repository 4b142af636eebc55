"""ComfyUI's syntax: laws, places, issues, bad input. The golden parses are in parity."""

import math
import re
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import PromptError, PromptSyntaxError
from clipcond.prompt import Issue, Segment, parse
from clipcond.prompt.lookalikes import with_lookalikes
from tests.failures import failures_of

PIECES = [
    "(",
    "(",
    ")",
    ")",
    "\\",
    "\\(",
    "\\)",
    ":",
    ":1.3",
    ":-.5)",
    "a",
    "猫",
    " ",
    "\n",
    "[",
    "]",
]
prompts = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)
NUMBER_LIKE = [":nan)", ":inf)", ":1_0)", ": 2 )", ":1e999)", ":1.2.3)", ":)", "::2)", ":１.５)"]
numbered = st.lists(st.sampled_from([*PIECES, *NUMBER_LIKE]), max_size=24).map("".join)


def pairs(prompt, read=parse):
    parsed = parse(prompt, "comfyui") if read is parse else read(prompt)
    return [(part.text, part.weight) for part in parsed.parts]


def read_slowly(text, weight=1.0):
    """Read the grammar by recursion over strings, without escapes.

    Groups go from a bracket at depth 0 to where the depth is 0 again, or else to the end. One that
    ends in `)` gives its inside, at its number or at 1.1 times the weight around it.
    """
    depth, cuts = 0, [0]
    for position, character in enumerate(text):
        if character == "(" and depth == 0:
            cuts.append(position)
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == ")" and depth == 0:
            cuts.append(position + 1)
    for start, stop in pairwise([*cuts, len(text)]):
        piece = text[start:stop]
        if re.fullmatch(r"\(.*\)", piece, re.DOTALL):
            inside, inner = piece[1:-1], weight * 1.1
            before, _, number = inside.rpartition(":")
            if before:
                with suppress(ValueError):
                    inside, inner = before, float(number)
            yield from read_slowly(inside, inner)
        elif piece:
            yield piece, weight


@given(prompts.filter(lambda prompt: "\\" not in prompt))
def test_the_fast_reader_agrees_with_the_slow_one(prompt):
    assert pairs(prompt) == list(read_slowly(prompt))


@given(numbered)
def test_any_string_parses_or_says_where_it_does_not(prompt):
    try:
        parsed = parse(prompt, "comfyui")
    except PromptError as error:
        source, problems = error.source, [error]
    else:
        source, problems = parsed.source, parsed.issues
        assert parsed.syntax == "comfyui"
        assert all(math.isfinite(part.weight) for part in parsed.parts)
    assert source == prompt
    assert all(0 <= problem.position < len(prompt) and problem.remedy for problem in problems)


@given(prompts)
def test_places_are_ordered_and_disjoint_and_hold_the_text(prompt):
    parts = parse(prompt, "comfyui").parts

    assert all(a.stop <= b.start for a, b in pairwise(parts))
    for part in parts:
        place = prompt[part.start : part.stop]
        assert part.text == place.replace("\\(", "(").replace("\\)", ")") != ""


@given(st.text(alphabet=st.characters(exclude_characters="()"), min_size=1))
def test_text_without_brackets_is_itself(text):
    parsed = parse(text, "comfyui")

    assert parsed.parts == (Segment(text, 1.0, 0, len(text)),)
    assert parsed.issues == ()


@given(st.text(alphabet=st.characters(exclude_characters="\\"), min_size=1))
def test_escaped_text_is_itself(text):
    escaped = text.replace("(", "\\(").replace(")", "\\)")

    assert pairs(escaped) == [(text, 1.0)]


def test_nothing_said_is_no_part():
    def check(prompt):
        assert parse(prompt, "comfyui").parts == ()
        assert parse(prompt, "comfyui").issues == ()

    cases = ["", "()", "(())", "()()"]
    assert not failures_of(check, cases)


def test_a_place_is_the_text_without_brackets_and_number():
    prompt = "a (red \\(dark\\):1.3) cat"

    _, red, cat = parse(prompt, "comfyui").parts

    assert red == Segment("red (dark)", 1.3, 3, 15)
    assert prompt[3:15] == "red \\(dark\\)"
    assert cat == Segment(" cat", 1.0, 20, 24)


def test_corners():
    def check(case):
        prompt, expected = case
        assert pairs(prompt) == expected

    cases = [
        ("(a:1_0)", [("a", 10.0)]),
        ("(a:\n2\n)", [("a", 2.0)]),
        ("(a:２)", [("a", 2.0)]),
        ("(a:-0)", [("a", 0.0)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("(a:1\\))", [("a:1)", 1.1)]),
        ("(a (b:0.5):2)", [("a ", 2.0), ("b", 0.5)]),
        ("(a (b):2)", [("a ", 2.0), ("b", 2.2)]),
        ("(a:3 (b))", [("a:3 ", 1.1), ("b", 1.1 * 1.1)]),
        ("((a)", [("(a", 1.1)]),
        ("((a) (b:2)", [("a", 2.2), (" ", 2.0), ("(b", 2.0)]),
        ("((a (b))", [("a ", 1.1 * 1.1), ("(b", 1.1 * 1.1)]),
        ("x (a", [("x ", 1.0), ("(a", 1.0)]),
        ("a) (b:2)", [("a) (b:2)", 1.0)]),
        ("a) ((b:2) c", [("a) (", 1.0), ("b", 2.0), (" c", 1.0)]),
        ("(a)) (b)", [("a", 1.1), (") (b)", 1.0)]),
    ]
    assert not failures_of(check, cases)


def test_a_weight_that_is_not_finite_is_an_error():
    def check(case):
        prompt, shown = case
        with pytest.raises(PromptSyntaxError) as error:
            parse(prompt, "comfyui")
        assert str(error.value) == shown

    cases = [
        (
            "(cat: nan)",
            "'nan' is not a number\n  (cat: nan)\n        ^\nWrite a decimal number such as 1.2.",
        ),
        (
            "(猫 (dog:-inf))",
            "the weight -inf is not finite\n  (猫 (dog:-inf))\n           ^\n"
            "Weights are near 1.0; most models tolerate 0.5 to 1.5.",
        ),
        (
            "(cat:1e999)",
            "the weight 1e999 is not finite\n  (cat:1e999)\n       ^\n"
            "Weights are near 1.0; most models tolerate 0.5 to 1.5.",
        ),
    ]
    assert not failures_of(check, cases)


def test_in_plain_text_nothing_is_a_weight():
    assert pairs("a) (cat:nan)") == [("a) (cat:nan)", 1.0)]


OPEN = "Close it with ')' or write '\\(' for a literal bracket."
CLOSE = "Remove it or write '\\)' for a literal bracket."


def test_brackets_that_do_not_match_are_issues():
    assert parse("a (b (c", "comfyui").issues == (
        Issue("'(' is never closed", 2, OPEN),
        Issue("'(' is never closed", 5, OPEN),
    )
    assert parse("a) (b)", "comfyui").issues == (
        Issue("')' closes nothing, and makes the brackets after it plain text", 1, CLOSE),
    )
    assert parse("(a))", "comfyui").issues == (Issue("')' closes nothing", 3, CLOSE),)
    with pytest.raises(PromptSyntaxError, match="closes nothing"):
        parse("(a))", "comfyui").require_clean()


def test_a_thousand_stray_brackets_are_a_hundred_and_one_issues():
    issues = parse("(" * 1000, "comfyui").issues

    assert len(issues) == 101
    assert issues[-1].message == "900 more brackets that do not match"


def test_deep_nesting_neither_recurses_nor_overflows():
    n = 10_000

    parsed = parse("(" * n + "a" + ")" * n, "comfyui")

    (part,) = parsed.parts
    assert part == Segment("a", 1.7976931348623157e308, n, n + 1)
    assert parsed.issues == (
        Issue(
            "the brackets around this multiply to more than a number can hold",
            n,
            "Nest fewer brackets.",
        ),
    )
    assert pairs("(" * n + "a" + ":1.2)" * n) == [("a", 1.2)]


def test_a_smiley_that_makes_weights_text_is_warned_of():
    spoiling = (
        "happy :) dog (hat:1.2)",
        "a ;) (b)",
        ":-) (cat:1.3)",
        "=) x (cat)",
        "a :) (b:0.5) c",
    )
    for prompt in spoiling:
        (issue,) = with_lookalikes(parse(prompt, "comfyui")).issues
        assert "makes the brackets after it plain text" in issue.message
    for prompt in ("happy :)", "(hat:1.2) :)", "a ;) b"):
        assert with_lookalikes(parse(prompt, "comfyui")).issues == ()
