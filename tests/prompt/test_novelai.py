"""NovelAI's braces, brackets and numbers."""

import math

from hypothesis import given
from hypothesis import strategies as st

from clipcond.prompt import convert, parse
from tests.failures import failures_of

PIECES = ["{", "}", "[", "]", "1.3::", "-1::", "::", "cat ", "|", "(x)", "0.5::", "猫", "1", "."]
prompts = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


def read(prompt: str) -> list[tuple[str, float]]:
    return [(s.text, round(s.weight, 4)) for s in parse(prompt, "novelai").segments]


def test_what_it_reads():
    def check(case):
        prompt, segments = case
        assert read(prompt) == segments

    cases = [
        ("{{masterpiece}}, [bad]", [("masterpiece", 1.1025), (", ", 1.0), ("bad", 0.9524)]),
        ("1.3::red cat::, x", [("red cat", 1.3), (", x", 1.0)]),
        ("-1::dog:: x", [("dog", -1.0), (" x", 1.0)]),
        ("0.5::a {b} 2::c::", [("a ", 0.5), ("b", 0.525), (" ", 0.5), ("c", 2.0)]),
        ("1.5::rain, night", [("rain, night", 1.5)]),
        ("{a", [("a", 1.05)]),
        ("a}", [("a}", 1.0)]),
        ("{a [b}]", [("a ", 1.05), ("b", 1.0)]),
        ("(cat:1.3) \\{", [("(cat:1.3) \\", 1.0)]),
        ("v1.3::x", [("v1.3x", 1.0)]),
        ("a | b", [("a | b", 1.0)]),
        ("1::x::", [("x", 1.0)]),
        ("", [("", 1.0)]),
    ]
    assert not failures_of(check, cases)


def test_what_is_odd():
    def check(case):
        prompt, message, position = case
        (issue,) = parse(prompt, "novelai").issues
        assert (issue.message, issue.position) == (message, position)
        assert issue.remedy

    choice = "'||' is a random choice in NovelAI, not supported: here it is text"
    mixing = "'|' mixes prompts in NovelAI, which is not supported: here it is text"
    cases = [
        ("a {b", "'{' is never closed", 2),
        ("a [b", "'[' is never closed", 2),
        ("a} b", "'}' closes nothing", 1),
        ("a :: b", "'::' ends no weight, and is left out", 2),
        ("a | b", mixing, 2),
        ("a | b | c|d", mixing, 2),
        ("||red|blue||", choice, 0),
        ("a ||red|big blue|c|| b", choice, 2),
    ]
    assert not failures_of(check, cases)


@given(prompts)
def test_any_text_is_read_in_order(prompt):
    parsed = parse(prompt, "novelai")

    spans = [(s.start, s.stop) for s in parsed.segments]
    assert spans == sorted(spans)
    assert all(math.isfinite(s.weight) for s in parsed.segments)
    assert all(0 <= issue.position < len(prompt) for issue in parsed.issues)


def test_many_brackets_are_held_at_a_number():
    (segment,) = parse("{" * 20_000 + "a", "novelai").segments

    assert math.isfinite(segment.weight)


def test_it_is_written_and_read():
    def check(case):
        prompt, source, target, written = case
        assert convert(prompt, source, target) == written

    cases = [
        ("a (red:1.3) [cat]", "a1111", "novelai", "a 1.3::red:: 0.91::cat::"),
        ("{a} 1.3::b::, -1::d::", "novelai", "a1111", "(a:1.05) (b:1.3), (d:-1)"),
        ("cat++ dog", "compel", "novelai", "1.21::cat:: dog"),
        ("{{a cat}}", "novelai", "compel", "(a cat)1.103"),
        ("1.5::a::, (b)", "novelai", "comfyui", "(a:1.5), \\(b\\)"),
    ]
    assert not failures_of(check, cases)
