"""compel's syntax: what it says, what it complains of, and laws that hold for any string.

That it says what compel says is shown in tests/parity/test_compel_text.py.
"""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import PromptError, PromptSyntaxError
from clipcond.prompt import Break, Issue, Segment, parse
from clipcond.prompt.segments import Lora, Mixture, ParsedPrompt, Swap
from tests.failures import failures_of

SYNTAX = '()",.+-=\\'
WORDS = (
    *("a", "cat", "x+", "y--", "well-known", "1.5", "猫", "\u00a0", "\n", " ", " "),
    *("+", "-", ".", ",", "=", ":", "(", ")", '"', "\\", "\\(", '\\"', "\\+"),
    *("(a)", '"b c"', "1.2", ".attend(2)", ".swap(", ".swap(d, s_start=0.1)", "withLora(l)"),
    *(".and()", ".blend(", ".blend(1,2)", '("a","b")', '"a",', "no_normalize", "\x0b", "\r"),
)
prompts = st.lists(st.sampled_from(WORDS) | st.characters(), max_size=12).map("".join)


def said(prompt: str) -> list[tuple[str, float]]:
    return [(segment.text, segment.weight) for segment in parse(prompt, "compel").segments]


def _split(text: str) -> list[str]:
    return "".join(" " if c in string.whitespace else c for c in text).split(" ")


def test_positions_are_those_of_the_source():
    prompt = "a,b (red  cat)1.5,c"
    parsed = parse(prompt, "compel")

    assert parsed == ParsedPrompt(
        prompt,
        (
            Segment("a, b", 1.0, 0, 3),
            Segment("red cat", 1.5, 5, 13),
            Segment(", c", 1.0, 17, 19),
        ),
        syntax="compel",
    )


def test_weights():
    def check(case):
        prompt, expected = case
        assert said(prompt) == expected

    cases = [
        ("", [("", 1.0)]),
        (" \n", [("", 1.0)]),
        ("()", []),
        ("a\x0bb+\x0cc", [("a", 1.0), ("b", 1.1), ("c", 1.0)]),
        ("((a b)++ c)--", [("a b", 0.81 * 1.1**2), ("c", 0.81)]),
        ('("x"+)1.2 "(y z)-"1.5', [("x", 1.2 * 1.1), ("y z", 1.5 * 0.9)]),
        ("(a+ (b)0.5)1.2", [("a", 1.2 * 1.1), ("b", 1.2 * 0.5)]),
        ("(a.b,c)1.2", [("a . b , c", 1.2)]),
        ("(a =)1.2 (b)1.3", [("(a =)1.2", 1.0), ("b", 1.3)]),
        ("(a (b)1.3", [("(a", 1.0), ("b", 1.3)]),
        (r"\(a\)+ \+b", [("(a)", 1.1), (r"\+b", 1.0)]),
    ]
    assert not failures_of(check, cases)


def test_a_blend_has_its_prompts_apart():
    prompt = '("a cat", dog).blend(0.7, -1, no_normalize)'
    parsed = parse(prompt, "compel")

    cat, dog = Segment("a cat", 1.0, 2, 7), Segment("dog", 1.0, 10, 13)
    assert parsed.parts == (cat, Break(8, 9), dog)
    assert parsed.mixture == Mixture(
        (
            ParsedPrompt(prompt, (cat,), syntax="compel"),
            ParsedPrompt(prompt, (dog,), syntax="compel"),
        ),
        (0.7, -1.0),
        "sum",
    )
    assert parse('("a", "b").blend()', "compel").mixture.mode == "mean"


def test_a_conjunction_without_its_empty_prompts():
    prompt = '("()", "a+", "", b).and(1, 2, 3, 4)'
    parsed = parse(prompt, "compel")

    a, empty, b = Segment("a", 1.1, 8, 9), Segment("", 1.0, 14, 14), Segment("b", 1.0, 17, 18)
    assert parsed.parts == (a, Break(11, 12), empty, Break(15, 16), b)
    assert [p.parts for p in parsed.mixture.prompts] == [(a,), (empty,), (b,)]
    assert (parsed.mixture.weights, parsed.mixture.mode) == ((2.0, 3.0, 4.0), "join")


def test_one_prompt_is_no_conjunction():
    def check(prompt):
        parsed = parse(prompt, "compel")

        assert parsed.parts == (Segment("a", 1.0, 2, 3),)
        assert parsed.mixture is None

    cases = ['("a")', '("a").and()', '("a").and(1)', '("a", "()").add()']
    assert not failures_of(check, cases)


def test_what_is_no_text_is_kept_aside():
    prompt = 'x (cat)1.2 (y dog.swap("a fox"+, s_end=0.5, t))0.5 withLora(n, -.5)'
    parsed = parse(prompt, "compel")

    assert said(prompt) == [("x", 1.0), ("cat", 1.2), ("y", 0.5), ("dog", 0.5)]
    fox = Segment("a fox", 0.5 * 1.1, 24, 29)
    assert parsed.extras == (
        Swap((fox,), (("s_end", 0.5), ("t", "")), 14, 17),
        Lora("n", -0.5, 51, 67),
    )
    assert parsed.issues == (
        Issue(
            "what .swap() puts in its place is not encoded, only what is before it",
            17,
            "Encode both prompts, and change between them.",
        ),
        Issue(
            "the LoRA 'n' is left out of the text, and nothing loads it",
            51,
            "Load it into the pipeline: load_lora_weights.",
            words=("n",),
        ),
    )


def test_issues():
    def check(case):
        prompt, expected = case
        assert parse(prompt, "compel").issues == (expected,)

    cases = [
        (
            "a cat(red)1.2",
            Issue(
                "'(' opens no group: it is text",
                5,
                "A group begins after a space, has an end, and holds no '=' and no lone '+' or "
                "'-'; write '\\(' for a literal bracket.",
            ),
        ),
        (
            "a,b)",
            Issue(
                "')' closes nothing: it is text",
                3,
                "Remove it or write '\\)' for a literal bracket.",
            ),
        ),
        (
            '("a","b").and(1,2) c+',
            Issue("the text behind .and() is ignored", 19, "Put it inside one of the prompts."),
        ),
    ]
    assert not failures_of(check, cases)


def test_a_broken_prompt_has_a_hundred_issues_at_most():
    assert len(parse("a( " * 300, "compel").issues) == 100


def test_errors():
    def check(case):
        prompt, message = case
        with pytest.raises(PromptSyntaxError) as error:
            parse(prompt, "compel")

        assert str(error.value) == message

    cases = [
        (
            '("a","b").blend(1,1) tail',
            "there is text behind .blend()\n"
            '  ("a","b").blend(1,1) tail\n'
            "                       ^\n"
            "A blend is a whole prompt: put this inside one of its prompts.",
        ),
        (
            '("a","b").blend(1)',
            "prompts and weights differ in number: 2 and 1\n"
            '  ("a","b").blend(1)\n'
            "                  ^\n"
            "Give one for each, or none at all.",
        ),
        (
            '("a","b").and(0.5, soft)',
            "'soft' is not a number\n"
            '  ("a","b").and(0.5, soft)\n'
            "                     ^\n"
            "Write a decimal number such as 1.2.",
        ),
        (
            '("a","b").blend(1,inf)',
            "the weight inf is not finite\n"
            '  ("a","b").blend(1,inf)\n'
            "                    ^\n"
            "Weights are near 1.0; most models tolerate 0.5 to 1.5.",
        ),
        (
            '("a","b").blend(1,-1)',
            "the weights of the blend sum to 0\n"
            '  ("a","b").blend(1,-1)\n'
            "                  ^\n"
            "Change one, or add no_normalize behind the last.",
        ),
        (
            '("a.swap(b)","c").blend()',
            '.swap() has no meaning in a blend\n  ("a.swap(b)","c").blend()\n     ^\nTake it out.',
        ),
        (
            "((a)1" + "0" * 300 + ")1000000000",
            "the weights around this multiply to inf\n"
            "  ((a)1" + "0" * 27 + "...\n"
            "    ^\n"
            "Nest fewer brackets.",
        ),
    ]
    assert not failures_of(check, cases)


def test_the_weights_of_a_blend_may_be_small_but_must_not_cancel():
    def check(case):
        weights, is_accepted = case
        prompt = f'("a","b").blend({weights})'
        if is_accepted:
            assert parse(prompt, "compel").mixture.mode == "mean"
            return
        with pytest.raises(PromptSyntaxError, match="the weights of the blend sum to 0"):
            parse(prompt, "compel")

    cases = [
        ("0.0005, 0.0003", True),
        ("0.0000001, 0.0000001", True),
        ("1, -0.99999", True),
        ("1, -0.999997", True),
        ("1, -0.9999995", False),
        ("1000000, -999999", False),
        ("0.000001, -0.000001", False),
        ("0, 0", False),
    ]
    assert not failures_of(check, cases)
    assert parse('("a","b").blend(0, 0, no_normalize)', "compel").mixture.weights == (0.0, 0.0)


def test_more_signs_than_a_number_can_hold():
    with pytest.raises(PromptSyntaxError, match="20000 signs make a weight that is not finite"):
        parse("a" + "+" * 20_000, "compel")
    assert said("a" + "-" * 20_000) == [("a", 0.0)]


@given(prompts)
def test_any_string_is_read_or_refused_with_a_place(prompt):
    refused, parsed = None, ParsedPrompt(prompt, ())
    try:
        parsed = parse(prompt, "compel")
    except PromptError as error:
        refused = error
    if refused is not None:
        assert refused.source == prompt
        assert 0 <= refused.position <= len(prompt)
    at = 0
    for part in parsed.parts:
        assert at <= part.start <= part.stop <= len(prompt)
        at = part.stop
    members = parsed.mixture.prompts if parsed.mixture else [parsed]
    assert parsed.segments == tuple(s for member in members for s in member.segments)
    assert all(0 <= issue.position <= len(prompt) for issue in parsed.issues)


@given(st.text(st.characters(blacklist_characters=SYNTAX, blacklist_categories=["Cs"])))
def test_text_without_syntax_is_itself(text):
    (segment,) = parse(text, "compel").segments

    # white space is normalised; the wide kinds are left to the tokenizer
    expected = " ".join(part for part in _split(text) if part)
    assert segment.text == (expected if text.strip() else "")
    assert segment.weight == 1.0
