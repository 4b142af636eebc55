"""A1111's attention syntax: laws, places, issues, bad input. The golden parses are in parity."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import PromptSyntaxError
from clipcond.prompt import Break, Issue, Segment, parse
from tests.failures import failures_of
from tests.prompt import naive

# So deep, brackets of any kind multiply in the reference's order, to the last bit.
EXACT_DEPTH = 32

PIECES = [
    "(",
    ")",
    "[",
    "]",
    "\\",
    ":",
    ":1.3)",
    ":-.5)",
    "red",
    "猫",
    " ",
    "BREAK",
    "\n",
    "\\(",
    "AND",
]
prompts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
shallow = st.text(alphabet="()[]ab ", max_size=EXACT_DEPTH)
weighted = st.lists(
    st.sampled_from(["(", "[", ")", "]", "a", "b", ":1.3)", ":0.7)", ":-2)"]), max_size=EXACT_DEPTH
).map("".join)


def pairs(prompt):
    return [(part.text, part.weight) for part in parse(prompt).parts if isinstance(part, Segment)]


@given(prompts)
def test_places_are_ordered_disjoint_and_in_the_source(prompt):
    parsed = parse(prompt)

    places = [place for part in parsed.parts for place in (part.start, part.stop)]
    assert parsed.source == prompt
    assert places == sorted(places)
    assert all(0 <= place <= len(prompt) for place in places)
    assert all(0 <= issue.position < len(prompt) for issue in parsed.issues)


@given(prompts)
def test_a_segment_is_its_place_without_brackets_numbers_and_backslashes(prompt):
    for part in parse(prompt).parts:
        place = prompt[part.start : part.stop]
        if isinstance(part, Break):
            assert place == "BREAK"
        else:
            characters = iter(place)
            assert all(character in characters for character in part.text)


@given(st.text(alphabet=st.characters(exclude_characters="()[]\\"), min_size=1))
def test_text_without_syntax_is_itself(text):
    if "BREAK" not in text:
        assert parse(text).parts == (Segment(text, 1.0, 0, len(text)),)
        assert parse(text).issues == ()


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_escaped_text_is_itself(text):
    escaped = "".join("\\" + c if c in "()[]\\" else c for c in text.replace("BREAK", ""))

    assert "".join(text for text, _ in pairs(escaped)) == text.replace("BREAK", "")
    assert all(weight == 1.0 for _, weight in pairs(escaped))


@given(st.one_of(shallow, weighted))
def test_weights_are_those_of_multiplying_at_every_closing_bracket(prompt):
    assert pairs(prompt) == naive.read(prompt)


@given(prompts)
def test_neighbours_differ_in_weight(prompt):
    parts = parse(prompt).parts

    for left, right in pairwise(parts):
        if isinstance(left, Segment) and isinstance(right, Segment):
            assert left.weight != right.weight


@given(prompts)
def test_unclosed_brackets_act_as_if_closed_at_the_end(prompt):
    parsed = parse(prompt)

    # round ones are closed first; a backslash at the end would escape the first of them
    unclosed = [prompt[i.position] for i in parsed.issues if "never closed" in i.message]
    closing = ")" * unclosed.count("(") + "]" * unclosed.count("[")
    if not prompt.endswith("\\") and len(parsed.issues) < 100:
        closed = parse(prompt + closing)
        assert [(p.text, p.weight) for p in closed.segments] == pairs(prompt)


def test_places_of_a_prompt():
    parsed = parse("a (red:1.3) \\(cat\\) BREAK [x]")

    assert parsed.parts == (
        Segment("a ", 1.0, 0, 2),
        Segment("red", 1.3, 3, 6),
        Segment(" (cat)", 1.0, 11, 19),
        Break(20, 25),
        Segment("", 1.0, 26, 26),
        Segment("x", 1 / 1.1, 27, 28),
    )
    assert parsed.syntax == "a1111"
    assert parsed.require_clean() is parsed


def test_joined_neighbours_span_from_the_first_to_the_last():
    (segment,) = parse("(a)(b)(c)").parts

    assert segment == Segment("abc", 1.1, 1, 8)


def test_odd_prompts():
    def check(case):
        prompt, expected = case
        assert pairs(prompt) == expected

    cases = [
        ("", [("", 1.0)]),
        ("   ", [("   ", 1.0)]),
        ("(:1.2)", [("", 1.0)]),
        ("\\", [("", 1.0)]),
        ("(cat:１.５)", [("cat", 1.5)]),
        ("(cat:--1)", [("cat:--1", 1.1)]),
        ("(cat:0x10)", [("cat:0x10", 1.1)]),
        ("(a::1.2)", [("a:", 1.2)]),
        ("(a:1.5 b)", [("a:1.5 b", 1.1)]),
        ("(a\\:1.5)", [("a", 1.5)]),
        ("[cat:1.5]", [("cat:1.5", 1 / 1.1)]),
        (":1.2.3) stays", [(":1.2.3) stays", 1.0)]),
        ("(a:0)(b:-0)", [("ab", 0.0)]),
        ("(a:1" + "0" * 38 + ")", [("a", 1e38)]),
        ("[[a] b", [("a", 1 / 1.1 * (1 / 1.1)), (" b", 1 / 1.1)]),
    ]
    assert not failures_of(check, cases)


def test_where_a_break_is():
    def check(case):
        prompt, places = case
        assert [part.start for part in parse(prompt).parts if isinstance(part, Break)] == places

    cases = [
        ("BREAK", [0]),
        ("\\BREAK", [1]),
        ("a:BREAK", [2]),
        ("BREAK(x)BREAK", [0, 8]),
        ("(BREAK:1)", [1]),
        ("([BREAK])", [2]),
        ("break BREAKdog dogBREAK BREAK_", []),
        ("BREAK\n \tBREAK", [0, 8]),
        ("(BRE:-1)(AK:-1)", [1]),  # webui compares text and weight, and so finds a break here
    ]
    assert not failures_of(check, cases)


def test_a_break_in_brackets_is_a_word_and_an_issue():
    parsed = parse("(cat BREAK dog:1.3)")

    assert [(p.text, p.weight) for p in parsed.segments] == [
        ("cat", 1.3),
        ("BREAK", -1.3),
        ("dog", 1.3),
    ]
    with pytest.raises(PromptSyntaxError) as error:
        parsed.require_clean()
    assert str(error.value) == (
        "BREAK inside brackets starts no chunk: it is the word 'break' at weight -1.3\n"
        "  (cat BREAK dog:1.3)\n"
        "       ^\n"
        "Close the brackets before BREAK and open them again behind it."
    )


def test_a_bracket_that_is_never_closed():
    parsed = parse("一只猫 (red cat")

    assert parsed.issues == (
        Issue("'(' is never closed", 4, "Close it with ')' or write '\\(' for a literal bracket."),
    )
    with pytest.raises(PromptSyntaxError) as error:
        parsed.require_clean()
    assert str(error.value) == (
        "'(' is never closed\n"
        "  一只猫 (red cat\n"
        "         ^\n"  # three wide characters are six columns
        "Close it with ')' or write '\\(' for a literal bracket."
    )


def test_a_bracket_that_closes_nothing():
    with pytest.raises(PromptSyntaxError) as error:
        parse("a cat] on :1.2) a mat").require_clean()

    assert str(error.value) == (
        "']' closes nothing\n"
        "  a cat] on :1.2) a mat\n"
        "       ^\n"
        "Remove it or write '\\]' for a literal bracket."
    )
    assert [issue.position for issue in parse("a cat] on :1.2) a mat").issues] == [5, 14]


def test_issues_come_in_the_order_of_the_prompt():
    issues = parse("] (a BREAK b [c").issues

    assert [issue.position for issue in issues] == [0, 2, 5, 13]


def test_what_looks_like_a_number_but_is_none():
    def check(number):
        with pytest.raises(PromptSyntaxError) as error:
            parse(f"猫 (cat: {number} )")

        assert str(error.value) == (
            f"{number!r} is not a number\n"
            f"  猫 (cat: {number} )\n"
            "           ^\n"
            "Write a decimal number such as 1.2."
        )

    cases = ["1.2.3", ".", "..5", "+.", "1..2", "-1.5."]
    assert not failures_of(check, cases)


def test_a_weight_that_overflows():
    def check(sign):
        with pytest.raises(PromptSyntaxError) as error:
            parse(f"(cat:{sign}{'9' * 400})")

        shown = f"{sign}{'9' * 17}"[:17]
        assert str(error.value).splitlines()[0] == f"the weight {shown}... is not finite"
        assert error.value.position == 5

    cases = ["", "+", "-"]
    assert not failures_of(check, cases)
