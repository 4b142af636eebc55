"""Choosing a syntax, the plain one, and how far a prompt walks."""

import sys
from pathlib import Path

import pytest

import clipcond.prompt
from clipcond.errors import UnknownNameError
from clipcond.prompt import (
    SYNTAXES,
    ParsedPrompt,
    Segment,
    find_syntax,
    parse,
    reduce_to_one_text,
)
from clipcond.prompt.conversion import convert
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.parsing import reads_fullwidth
from tests.failures import failures_of


def test_a_syntax_by_name_or_itself():
    assert parse("(a)", "a1111") == parse("(a)") == SYNTAXES["a1111"]("(a)")
    assert parse("(a)", lambda text: ParsedPrompt(text, (), syntax="mine")) == ParsedPrompt(
        "(a)", (), syntax="mine"
    )


def test_plain_is_the_prompt_itself():
    def check(text):
        assert parse(text, "plain").parts == (Segment(text, 1.0, 0, len(text)),)

    cases = ["", " ", "(a:1.2.3) BREAK [x:y:1] \\", "猫\n"]
    assert not failures_of(check, cases)


def test_an_unknown_syntax():
    with pytest.raises(UnknownNameError) as error:
        parse("a", "a111")

    known = ", ".join(sorted(SYNTAXES))
    assert str(error.value) == f"no syntax 'a111'. Did you mean 'a1111'? Known: {known}."


def test_no_syntax_is_an_unknown_one_whatever_its_type():
    def check(syntax):
        for call in (
            lambda: parse("a", syntax),
            lambda: parse("a", syntax, fullwidth=True),
            lambda: find_syntax(syntax),
            lambda: reads_fullwidth(syntax),
            lambda: convert("a", syntax, "a1111"),
        ):
            with pytest.raises(UnknownNameError, match=r"^no syntax "):
                call()

    assert not failures_of(check, ["nope", "", [], {}, {"a1111"}, None, 3, b"a1111", ("a1111",)])


def test_every_syntax_names_itself_and_keeps_the_source():
    for name, syntax in SYNTAXES.items():
        parsed = syntax("a 猫")
        assert parsed.syntax == name
        assert parsed.source == "a 猫"
        assert "".join(segment.text for segment in parsed.segments) == "a 猫"


def test_a_weighted_prompt_runs_the_code_of_eight_files():
    files = set()

    def note(frame, event, argument):
        files.add(Path(frame.f_code.co_filename))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        text, _ = reduce_to_one_text("a (red:1.3) fox")
        with_lookalikes(parse(text)).with_names(str)
    finally:
        sys.setprofile(before)

    room = Path(clipcond.prompt.__file__).parent
    names = {file.name for file in files if file.is_relative_to(room)}
    assert names == {
        *("parsing.py", "a1111.py", "emphasis.py", "scanner.py", "segments.py", "lookalikes.py"),
        *("reduction.py", "remainder.py"),
    }
