"""Thousands of random prompts for each syntax, made of what means something in one of them.

Some of them are also conditioned on, in every dialect. Seeded: every run reads the same prompts,
and `nox -s deep` many more.
"""

import math
import os
import random
from itertools import pairwise

import pytest
import torch

from clipcond.conditioning.dialects import DIALECTS, Dialect
from clipcond.errors import PromptError
from clipcond.prompt import (
    SYNTAXES,
    Break,
    ParsedPrompt,
    Syntax,
    compose,
    parse,
    reduce_to_one_text,
    schedule,
)
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.rendering import weighted_words
from clipcond.prompt.writing import lora_weights, mode_and_weights
from tests.conditioning.conditioners import pair, single

DEEP = int(os.environ.get("CLIPCOND_FUZZ", 0))  # so many of each kind
N = DEEP or 2_000
N_WRITTEN = DEEP or 600  # each is read three times
N_ENCODED = DEEP or 120  # by a tower of four small blocks
N_TOGETHER = 20
LEXEMES = (
    *("cat", "red fox", "a", "b", "1girl", "well-known", "猫", "😀", "é", "I", "16", "break"),
    *(" ", " ", " ", ", ", ",", ".", "...", "\n", "\t", "\u00a0", "'s", "!", "|", "#", "_"),
    *("(", "(", "(", ")", ")", ")", "[", "]", "((", "))", "{", "}", "<", ">", "\\", "\\\\"),
    *("\\(", "\\)", "\\[", "\\]", '\\"', "\\+", "\\,", "\\:", '"', '"'),
    *(":", ":1.2)", ":0)", ":-1)", ": 1.3 )", ":1e1)", ":.5)", ":1.", ":nan)", ":+2)", ":１.5)"),
    *("+", "++", "-", "--", ")1.3", ")++", ")-", '"1.2', "0.5", "-1", "1.", "3"),
    *("BREAK", " BREAK ", "AND", " AND ", ":0.5 AND ", "[a:b:0.5]", "[a|b]", "[x:3]", "|b]"),
    *(".blend(1,1)", ".and(", ".swap(", ".attend(1.2)", '("a","b")', "withLora(x,0.5)", ".add()"),
    *("embedding:x", "<lora:y:0.8>", "<|endoftext|>", "\u200b", "\x00", "\u0301", "ﬁ"),
)


def prompts(seed: str, n: int = N):
    source = random.Random(seed)
    for _ in range(n):
        yield "".join(source.choices(LEXEMES, k=source.randint(0, 14)))


def said(parsed: ParsedPrompt) -> list[tuple[str, float]]:
    return [(word, weight) for word, weight, _ in weighted_words(parsed)]


def checked(parsed: ParsedPrompt, prompt: str, syntax: str) -> None:
    assert (parsed.source, parsed.syntax) == (prompt, syntax)
    assert all(math.isfinite(segment.weight) for segment in parsed.segments)
    assert all(0 <= part.start <= part.stop <= len(prompt) for part in parsed.parts)
    assert all(a.stop <= b.start for a, b in pairwise(parsed.parts))
    assert all(0 <= issue.position <= len(prompt) and issue.message for issue in parsed.issues)


def read(prompt: str, syntax: str | Syntax) -> ParsedPrompt | None:
    """The prompt as the syntax reads it; None if it cannot, and says where."""
    try:
        return parse(prompt, syntax)
    except PromptError as error:
        check_place(error, prompt)
        return None


def check_place(error: PromptError, prompt: str) -> None:
    assert error.source == prompt
    assert 0 <= error.position <= len(prompt)
    assert error.message
    assert "^" in str(error) or not prompt


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_whatever_is_typed_is_read_or_refused_with_a_place(syntax):
    n_read = 0
    for prompt in prompts(f"read {syntax}"):
        parsed = read(prompt, syntax)
        if parsed is not None:
            checked(parsed, prompt, syntax)
            checked(with_lookalikes(parsed), prompt, syntax)
            n_read += 1

    assert n_read > 0.9 * N  # or this tests nothing


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_read_can_be_written_and_read_again(syntax):
    for prompt in prompts(f"write {syntax}", N_WRITTEN):
        parsed = read(prompt, syntax)
        if parsed is not None:
            again = parse(parsed.render(), syntax)
            assert said(again) == said(parsed)
            assert (mode_and_weights(again), lora_weights(again)) == (
                mode_and_weights(parsed),
                lora_weights(parsed),
            )


@pytest.mark.parametrize("target", SYNTAXES)
def test_in_another_syntax_it_says_the_same_or_is_refused_with_a_place(target):
    source, n_written = random.Random(target), 0
    for prompt in prompts(f"convert {target}", N_WRITTEN):
        parsed = read(prompt, source.choice(sorted(SYNTAXES)))
        if parsed is None:
            continue
        try:
            text = parsed.render(target)
        except PromptError as error:
            check_refusal(error, parsed, target)
            continue
        assert said(parse(text, target)) == said(parsed)
        n_written += 1

    assert n_written > 0.2 * N_WRITTEN


def encodable(dialect: Dialect, seed: str) -> list[str]:
    """Prompts that the dialect's syntax reads."""
    return [
        prompt for prompt in prompts(seed, N_ENCODED) if read(prompt, dialect.syntax) is not None
    ]


@pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
@pytest.mark.parametrize("make", [single, pair], ids=["single", "pair"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_read_is_encoded_without_nan(dialect, make):
    conditioner = make(dialect=dialect)
    found = encodable(conditioner.dialect, f"encode {dialect} {make.__name__}")
    assert len(found) > 0.9 * N_ENCODED  # or this tests nothing
    for i in range(0, len(found), N_TOGETHER):
        together = slice(i, i + N_TOGETHER)
        guided = conditioner.guided(found[together], found[::-1][together])
        for side in (guided.positive, guided.negative):
            assert side.embeds.shape == guided.positive.embeds.shape
            assert torch.isfinite(side.embeds).all()
            assert side.pooled is None or torch.isfinite(side.pooled).all()


def test_schedules_and_compositions():
    for prompt in prompts("steps", N_WRITTEN):
        texts = schedule(prompt, 4)
        assert texts[-1][0] == 4
        assert all(a[0] < b[0] for a, b in pairwise(texts))
        parts = compose(prompt)
        assert len(parts) >= 1
        assert all(math.isfinite(weight) for _, weight in parts)
        text, issues = reduce_to_one_text(prompt, 4)
        assert (text == prompt) or issues
        assert all(0 <= issue.position < len(prompt) for issue in issues)


def check_refusal(error: PromptError, parsed: ParsedPrompt, target: str) -> None:
    check_place(error, parsed.source)
    has_break = any(isinstance(part, Break) for part in parsed.parts)
    # only compel's syntax can mix prompts, load networks and swap words; NovelAI's has no escapes
    has_more = parsed.mixture is not None or bool(parsed.extras)
    assert has_break or has_more or target in ("plain", "diffusers", "compel", "novelai")


def nested(depth: int, source: random.Random) -> str:
    opened = [source.choice("([") for _ in range(depth)]
    closings = {"(": (")", ":1.1)", ")++", ")1.01"), "[": ("]",)}
    return "a".join(opened) + "".join(source.choice(closings[b]) for b in reversed(opened))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_deep_nesting(syntax):
    source = random.Random(syntax)
    for depth in (10, 100, 1000, 10_000):
        prompt = nested(depth, source)
        parsed = read(prompt, syntax)
        if parsed is not None:
            checked(parsed, prompt, syntax)
