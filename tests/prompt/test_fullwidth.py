"""Full-width punctuation is syntax where it is asked for, and nowhere else; text stays as typed."""

from dataclasses import replace
from functools import partial
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.errors import PromptSyntaxError, UnknownNameError
from clipcond.prompt import (
    Break,
    Issue,
    Segment,
    compose,
    parse,
    reads_fullwidth,
    reduce_to_one_text,
    schedule,
)
from clipcond.prompt.editing import find_changes
from clipcond.prompt.scanner import CLOSING_BRACKETS, FULLWIDTH_SIGNS, ascii_signs
from clipcond.prompt.syntaxes import comfyui
from tests.failures import failures_of

BRACKETS = ("a1111", "comfyui", "lpw", "lpw_xl", "sd_embed")
WIDE = {ascii_sign: wide for wide, ascii_sign in FULLWIDTH_SIGNS.items()}
ASCII_PIECES = "( ) [ ] : | \\ , cat :1.3) :.5] x:3] :0.5 [a:b:0.5] [x|y] ,BREAK, 1 .".split()
ASCII_PIECES += [" ", ":-2 )", " BREAK ", " AND "]
ascii_prompts = st.lists(st.sampled_from(ASCII_PIECES), max_size=25).map("".join)
any_prompts = st.lists(
    st.sampled_from([*ASCII_PIECES, *FULLWIDTH_SIGNS, "猫", "：１．３）", "狗"]), max_size=25
).map("".join)


@st.composite
def typed_both_ways(draw):
    """A prompt, and the same with some of its signs full-width."""
    prompt = draw(ascii_prompts)
    wide = draw(st.lists(st.booleans(), min_size=len(prompt), max_size=len(prompt)))
    pairs = zip(prompt, wide, strict=True)
    return prompt, "".join(WIDE.get(sign, sign) if is_wide else sign for sign, is_wide in pairs)


def outcome(read, *arguments, **choices):
    """What a reader gives, or the place of its error."""
    try:
        return read(*arguments, **choices)
    except PromptSyntaxError as error:
        return error.position


@given(typed_both_ways(), st.sampled_from(BRACKETS))
def test_it_is_read_as_its_ascii_sibling_and_text_is_kept(prompts, syntax):
    prompt, wide = prompts
    ours, theirs = outcome(parse, wide, syntax, fullwidth=True), outcome(parse, prompt, syntax)
    if isinstance(theirs, int):
        assert ours == theirs
        return

    as_ascii = [
        replace(p, text=ascii_signs(p.text)) if isinstance(p, Segment) else p for p in ours.parts
    ]
    assert as_ascii == list(theirs.parts)
    assert [i.position for i in ours.issues] == [i.position for i in theirs.issues]
    assert ours.source == wide
    for part in ours.segments if wide else ():  # sd_embed reads "" as "empty"
        rest = iter(wide[part.start : part.stop])  # a text is typed, letter by letter, in its place
        assert all(letter in rest for letter in part.text)


@given(typed_both_ways(), st.integers(1, 12))
def test_schedules_and_compositions_too(prompts, steps):
    prompt, wide = prompts

    assert find_changes(wide, fullwidth=True) == find_changes(prompt)
    texts = schedule(wide, steps, fullwidth=True)
    assert [(step, ascii_signs(text)) for step, text in texts] == list(schedule(prompt, steps))
    ours, theirs = compose(wide, fullwidth=True), compose(prompt)
    assert [(ascii_signs(text), weight) for text, weight in ours] == list(theirs)
    text, issues = reduce_to_one_text(wide, steps, fullwidth=True)
    ascii_text, ascii_issues = reduce_to_one_text(prompt, steps)
    assert ascii_signs(text) == ascii_text
    assert [i.position for i in issues] == [i.position for i in ascii_issues]


@given(any_prompts)
def test_signs_keep_every_place(prompt):
    ascii_prompt = ascii_signs(prompt)

    assert len(ascii_prompt) == len(prompt)
    assert ascii_signs(ascii_prompt) == ascii_prompt
    assert ascii_signs(prompt, fullwidth=False) == prompt
    assert not set(ascii_prompt) & set(FULLWIDTH_SIGNS)


@given(ascii_prompts, st.sampled_from(BRACKETS))
def test_ascii_prompts_are_read_as_ever(prompt, syntax):
    assert outcome(parse, prompt, syntax, fullwidth=True) == outcome(parse, prompt, syntax)


def test_the_exact_syntaxes_read_it_as_text():
    def check(syntax):
        text = "（猫：1.3），【狗】"

        assert parse(text, syntax).parts == (Segment(text, 1.0, 0, len(text)),)

    cases = BRACKETS
    assert not failures_of(check, cases)


def test_what_a_prompt_says():
    def check(case):
        text, parts = case
        segments = parse(text, fullwidth=True).segments

        assert [(s.text, s.weight, s.start, s.stop) for s in segments] == [
            (t, pytest.approx(w), a, b) for t, w, a, b in parts
        ]

    cases = [
        ("（猫：1.3）", [("猫", 1.3, 1, 2)]),
        ("(猫：１．３）", [("猫", 1.3, 1, 2)]),
        ("（猫:1。3)", [("猫", 1.3, 1, 2)]),
        ("（猫： －０.５ ）", [("猫", -0.5, 1, 2)]),
        ("（猫，狗）", [("猫，狗", 1.1, 1, 4)]),
        ("【猫】［狗］", [("猫狗", 1 / 1.1, 1, 5)]),
        ("（时间：早上）", [("时间：早上", 1.1, 1, 6)]),
        ("早上10：30，１只猫。", [("早上10：30，１只猫。", 1.0, 0, 12)]),
        ("\\（猫\\）", [("（猫）", 1.0, 0, 5)]),
        ("＼（猫＼）\\(狗\\)", [("（猫）(狗)", 1.0, 0, 10)]),
        ("猫、狗“鸟”《书》", [("猫、狗“鸟”《书》", 1.0, 0, 9)]),
    ]
    assert not failures_of(check, cases)


def test_break_is_a_word_next_to_anything_but_ascii_letters():
    def check(case):
        before, behind = case
        at = len(before)
        parsed = parse(f"{before}BREAK{behind}", fullwidth=True)

        assert parsed.parts[1] == Break(at, at + 5)
        assert [s.text for s in parsed.segments] == [before.strip(), behind.strip()]
        assert parse("猫BREAKs狗", fullwidth=True).parts == (Segment("猫BREAKs狗", 1.0, 0, 8),)
        assert parse("猫BREAK狗").parts == (Segment("猫BREAK狗", 1.0, 0, 7),)  # as A1111 has it

    cases = product(["猫", "猫，", "猫 "], ["狗", "，狗", " 狗"])
    assert not failures_of(check, cases)


def test_and_is_a_word_next_to_chinese_characters():
    assert compose("猫AND狗：０．５", fullwidth=True) == (("猫", 1.0), ("狗", 0.5))
    assert compose("猫AND狗：0.5") == (("猫AND狗：0.5", 1.0),)
    assert reduce_to_one_text("猫AND狗", fullwidth=True)[0] == "猫"
    assert reduce_to_one_text("猫AND狗", negative=True, fullwidth=True) == ("猫AND狗", ())
    assert reduce_to_one_text("一只【猫：狗：０．５】", 10, fullwidth=True)[0] == "一只狗"
    assert schedule("【猫｜狗】", 2, fullwidth=True) == ((1, "猫"), (2, "狗"))


def test_issues_show_what_was_typed():
    literal = "or write '\\{}' for a literal bracket."
    assert parse("一（只【猫", fullwidth=True).issues == (
        Issue("'（' is never closed", 1, f"Close it with '）' {literal.format('（')}"),
        Issue("'【' is never closed", 3, f"Close it with '】' {literal.format('【')}"),
    )
    assert comfyui.parse("猫）", fullwidth=True).issues == (
        Issue("'）' closes nothing", 1, "Remove it or write '\\）' for a literal bracket."),
    )
    for opening, closing in CLOSING_BRACKETS.items():
        assert not parse(f"{opening}猫{closing}", fullwidth=True).issues


def test_a_number_that_is_none_is_shown_as_typed():
    with pytest.raises(PromptSyntaxError) as caught:
        parse("（猫：１．２．３）", fullwidth=True)

    assert str(caught.value) == (
        "'１．２．３' is not a number\n"
        "  （猫：１．２．３）\n"
        "        ^\n"
        "Write a decimal number such as 1.2."
    )


def test_who_can_be_asked():
    assert [reads_fullwidth(name) for name in (*BRACKETS, "compel", "plain")] == [True] * 5 + [
        False,
        False,
    ]
    assert reads_fullwidth(partial(comfyui.parse_groups, words=True))
    assert not reads_fullwidth(lambda text: parse(text))
    with pytest.raises(UnknownNameError) as caught:
        parse("（猫）", "compel", fullwidth=True)
    assert str(caught.value) == (
        "no syntax with full-width punctuation 'compel'. "
        "Known: a1111, comfyui, lpw, lpw_xl, sd_embed."
    )
    with pytest.raises(UnknownNameError, match="no syntax 'a111'"):
        parse("（猫）", "a111", fullwidth=True)


def test_embeddings_keep_their_names():
    parsed = comfyui.parse_groups("（embedding:foo：1.2） 猫", fullwidth=True)

    assert [(s.text, s.weight, s.is_name) for s in parsed.segments] == [
        ("foo", 1.2, True),
        (" 猫", 1.0, False),
    ]


def test_escapes_of_comfyui():
    """Either backslash escapes either bracket; as ASCII syntax only the ASCII one does."""
    prompt = "\\(a\\) \\（b\\） ＼(c＼) ＼（d＼） ＼e \\e"

    (wide,) = comfyui.parse(prompt, fullwidth=True).parts
    assert wide.text == "(a) （b） (c) （d） ＼e \\e"
    assert wide.weight == 1.0
    assert [part.text for part in comfyui.parse("\\(a\\) \\（b\\） ＼（d＼）").parts] == [
        "(a) \\（b\\） ＼（d＼）"
    ]
    (name,) = comfyui.parse_groups("embedding:foo＼（1＼）", fullwidth=True).parts
    assert (name.text, name.is_name) == ("foo（1）", True)
