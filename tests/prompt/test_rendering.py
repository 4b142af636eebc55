"""Prompts written in another syntax say the same words at the same weights, or it is an error."""

import json
from pathlib import Path

import pytest

from clipcond.errors import PromptError, UnknownNameError
from clipcond.prompt import (
    SYNTAXES,
    Break,
    ParsedPrompt,
    Segment,
    convert,
    parse,
    render,
)
from clipcond.prompt.rendering import WRITERS, words

DATA = Path(__file__).parent.parent / "data"
GOLDEN = sorted(
    {
        case["prompt"]
        for tool in ("a1111", "comfyui", "sd_embed")
        for case in json.loads((DATA / f"{tool}.json").read_text(encoding="utf-8"))["cases"]
        if len(case["prompt"]) < 500
    }
)
BRACKETED = ("a1111", "comfyui", "lpw", "lpw_xl", "sd_embed")


def said(parsed: ParsedPrompt) -> list[tuple[str, float]]:
    return [(word, weight) for word, weight, _ in words(parsed)]


def readable(prompt: str, syntax: str) -> ParsedPrompt | None:
    try:
        return parse(prompt, syntax)
    except PromptError:
        return None


def test_every_syntax_can_be_written():
    assert SYNTAXES.keys() <= WRITERS.keys()


@pytest.mark.parametrize("target", BRACKETED)
@pytest.mark.parametrize("source", BRACKETED)
def test_golden_prompts_say_the_same_in_all_bracket_syntaxes(source, target):
    n_breaks = 0
    for prompt in GOLDEN:
        parsed = readable(prompt, source)
        if parsed is None:
            continue
        if target != "a1111" and any(isinstance(part, Break) for part in parsed.parts):
            n_breaks += 1
            with pytest.raises(PromptError, match="only dialect 'a1111' can start a new chunk"):
                parsed.render(target)
            continue
        assert said(parse(parsed.render(target), target)) == said(parsed)
    assert (n_breaks > 0) == (source == "a1111" and target != "a1111")


@pytest.mark.parametrize(
    ("prompt", "source", "target", "expected"),
    [
        ("a (red:1.3) cat", "a1111", "comfyui", "a (red:1.3) cat"),
        ("a (b (c:1.5) d:0.7)", "a1111", "comfyui", "a (b :0.7)(c:1.0499999999999998)( d:0.7)"),
        ("((a:1.1))", "comfyui", "a1111", "(a:1.1)"),
        ("(a)(b)", "comfyui", "a1111", "(a:1.1) (b:1.1)"),
        ("a (b:1e1)", "comfyui", "a1111", "a (b:10)"),
        ("a (b:1e-7)", "comfyui", "a1111", "a (b:0.0000001)"),
        ("a [b] \\ c", "comfyui", "a1111", "a \\[b\\] \\\\ c"),
        ("a BREAK b AND c", "comfyui", "a1111", "a BREA\\K b AN\\D c"),
        ("(BREAK:-1)", "comfyui", "a1111", "(BREA\\K :-1)"),
        ("x BREAK y", "a1111", "a1111", "x BREAK y"),
        ("BREAK x BREAK", "a1111", "a1111", "BREAK x BREAK"),
        ("BREAK BREAK x", "a1111", "a1111", "BREAK  BREAK x"),
        ("a\\\\(b)", "a1111", "comfyui", "a\\ (b:1.1)"),
        ("\\(a\\)", "a1111", "comfyui", "\\(a\\)"),
        ("(a", "a1111", "a1111", "(a:1.1)"),
        ("(a: 1.3)", "a1111", "sd_embed", "(a:1.3)"),
        ("", "sd_embed", "a1111", "empty"),
        ("", "a1111", "sd_embed", " "),
        ("", "a1111", "comfyui", ""),
        ("(a:1.0) [b", "a1111", "a1111", "a (b:0.9090909090909091)"),
        ("a (b", "comfyui", "plain", "a (b"),
    ],
)
def test_how_it_is_written(prompt, source, target, expected):
    assert convert(prompt, source, target) == expected
    assert parse(prompt, source).render(target) == expected


def test_its_own_syntax_is_the_default():
    assert parse("(a:1.3) [b]", "comfyui").render() == "(a:1.3) [b]"
    assert render(parse("(a: 1.3) [b]")) == "(a:1.3) (b:0.9090909090909091)"


def test_an_unknown_syntax():
    with pytest.raises(UnknownNameError, match=r"no syntax 'comfy'\. Did you mean 'comfyui'\?"):
        parse("a").render("comfy")
    with pytest.raises(UnknownNameError, match="no syntax 'a111'"):
        convert("a", "a111", "a1111")


@pytest.mark.parametrize(
    ("prompt", "source", "target", "expected"),
    [
        (
            "a cat\nBREAK b",
            "a1111",
            "comfyui",
            "only dialect 'a1111' can start a new chunk at a place\n"
            "  line 2: BREAK b\n"
            "          ^\n"
            "Leave BREAK out, or encode what stands before and behind it one by one.",
        ),
        (
            "a (b)",
            "a1111",
            "plain",
            "a plain prompt has no weight such as 1.1\n  a (b)\n     ^",
        ),
        (
            "a [b|c]",
            "a1111",
            "comfyui",
            "'[b|c]' cannot be converted\n  a [b|c]\n    ^\n"
            "Convert the texts of schedule(prompt, steps) one by one.",
        ),
        (
            "a AND b",
            "a1111",
            "a1111",
            "AND cannot be converted\n  a AND b\n    ^\n"
            "Convert the parts of compose(prompt) one by one.",
        ),
    ],
)
def test_what_cannot_be_said(prompt, source, target, expected):
    with pytest.raises(PromptError) as error:
        convert(prompt, source, target)

    assert str(error.value) == expected


def test_what_is_written_wrong_is_found_by_reading_it_back(monkeypatch):
    monkeypatch.setitem(WRITERS, "a1111", lambda parsed: "a cat (sat:1.2)")

    parsed = ParsedPrompt("a cat, sat", (Segment("a cat", 1.0, 0, 5), Segment("sat", 1.3, 7, 10)))
    with pytest.raises(PromptError) as error:
        parsed.render("a1111")
    assert str(error.value) == (
        "syntax 'a1111' has no way to write this\n"
        "  a cat, sat\n"
        "         ^\n"
        "It would read 'a cat (sat:1.2)' otherwise."
    )


def test_words_are_those_of_the_tokenizer(clip_bpe):
    """White space that this comparison overlooks is white space that the tokenizer overlooks."""
    for prompt in GOLDEN:
        cut = [word for word, _, _ in words(parse(prompt, "plain"))]

        assert clip_bpe.encode(" ".join(cut)) == clip_bpe.encode(prompt)
