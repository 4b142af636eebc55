"""Find what in a prompt looks like another dialect than the one that reads it.

Prompts are copied from page to page, and nothing in `(cat:1.3)` says which tool it was written for.
To another tool it is not an error but text, which silently does something else. Only what hardly
occurs in ordinary text counts: `cat++` and `(cat:1.3)`, but not `C++` or `(16:9)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from operator import itemgetter

from clipcond.errors import excerpt
from clipcond.prompt.notations import (
    BRACKETS,
    NOTATIONS,
    WITH_NOVELAI,
    WITHOUT_BRACKETS,
    Notation,
)
from clipcond.prompt.segments import MOST_ISSUES, Issue, ParsedPrompt, Segment

SHOWN = 40  # characters
MOST_WEIGHT = 3.0  # a dozen brackets of A1111
_USEFUL = "Useful weights are between 0 and 2; brackets that are text are written \\( and \\)."
_COLONS = (":", "：")
_CLOSING = {")": "(（", "）": "(（", "]": "[", "】": "【", "］": "［"}
_OPENING = "".join(_CLOSING.values())
CODE = "other-dialect"
CHOOSE_A1111 = "Choose dialect 'a1111'."
A1111_WEIGHT = "a weight in dialect 'a1111', but not here"
TIGHT = frozenset({"lpw", "lpw_xl", "sd_embed"})

# A number that is a weight, not the 9 of 16:9: it has a dot, or no digit comes before the colon.
_DECIMAL = r"[+-]?(?:\d+\.\d*|\.\d+)"
_WEIGHT = rf":(?:{_DECIMAL}|(?<!\d:)[+-]?\d+)\)"
_SPACED_WEIGHT = rf":(?:\s+{_DECIMAL}\s*|{_DECIMAL}\s+|(?<!\d:)\s+[+-]?\d+\s*)\)"
# A lone letter may be a language: C++.
_SIGNED_WORD = r"(?<![\w+\-.])(?=\w*[^\W\d_])\w{2,}(?:\+{2,}|-{2,})(?=[\s,.;:!?)\"]|$)"
_SIGNED_BRACKET = rf"(?<!\\)\)(?:[+-]{{1,9}}|{_DECIMAL})(?=[\s,.;)\"]|$)"
# Full-width brackets around something short, and a weight with a full-width sign in it.
_FULLWIDTH_BRACKETS = r"（[^（）\n]{1,60}）|【[^【】\n]{1,60}】|［[^［］\n]{1,60}］"
_FULLWIDTH_WEIGHT = "|".join(
    rf"{colon}\s*[+\-＋－]?{number}\s*{closing}"
    for colon, number, closing in (
        ("：", r"[.．。\d]+", "[)）]"),
        (":", r"[.．。\d]+", "）"),
        (":", r"\d*[．。]\d+", r"\)"),
    )
)


LOOKALIKES = (
    Notation(
        CODE,
        ":",
        re.compile(_WEIGHT),
        {"compel"},
        A1111_WEIGHT,
        "Write (cat)1.3, or choose dialect 'a1111'.",
    ),
    Notation(CODE, ":", re.compile(_WEIGHT), {"diffusers"}, A1111_WEIGHT, CHOOSE_A1111),
    Notation(
        CODE,
        ":",
        re.compile(_WEIGHT),
        {"novelai"},
        A1111_WEIGHT,
        "Write 1.3::cat::, or choose dialect 'a1111'.",
    ),
    Notation(
        CODE,
        "(",
        re.compile(r"(?<!\\)\(\((?=\s*\w)[^()\\]+\)\)"),
        WITHOUT_BRACKETS,
        A1111_WEIGHT,
        CHOOSE_A1111,
    ),
    Notation(
        CODE,
        "[",
        re.compile(r"(?<!\\)\[\[(?=\s*\w)[^\[\]\\:|]+\]\]"),
        WITHOUT_BRACKETS | {"comfyui"},
        A1111_WEIGHT,
        CHOOSE_A1111,
    ),
    Notation(
        CODE,
        ":",
        re.compile(_SPACED_WEIGHT),
        TIGHT | WITHOUT_BRACKETS,
        A1111_WEIGHT,
        "Leave out the spaces, or choose dialect 'a1111'.",
    ),
    Notation(
        CODE,
        "+-)",
        re.compile(rf"{_SIGNED_WORD}|{_SIGNED_BRACKET}"),
        WITH_NOVELAI - {"compel"},
        "a weight in dialect 'compel', but not here",
        "Write (cat:1.2), or choose dialect 'compel'.",
    ),
    Notation(
        CODE,
        "(",
        re.compile(r"(?<=[)\"\w])\.(?:blend|and|add|swap|attend)\("),
        WITH_NOVELAI - {"compel"},
        "a conjunction of prompts, or a change, in dialect 'compel', but not here",
        "Choose dialect 'compel'.",
    ),
    Notation(
        CODE,
        "K",
        re.compile(r"\bBREAK\b"),
        WITHOUT_BRACKETS | {"comfyui", "lpw", "novelai"},
        "a new chunk in dialect 'a1111', but not here",
        "Leave it out, or choose dialect 'a1111'.",
    ),
    Notation(
        CODE,
        "[",
        re.compile(r"\[[^\[\]:|]*(?::[^\[\]:|]*)?:\s*(?:\d+(?:\.\d*)?|\.\d+)\s*\]"),
        WITH_NOVELAI - {"a1111"},
        "prompt editing in dialect 'a1111', but not here",
        CHOOSE_A1111,
    ),
    Notation(
        CODE,
        "[",
        re.compile(r"\[(?=\s*\w)[^\[\]:|]+\|[^\[\]:]*\]"),
        WITH_NOVELAI - {"a1111"},
        "alternation in dialect 'a1111', but not here",
        CHOOSE_A1111,
    ),
)
# Means more with `fullwidth=True`, or, for compel, in ASCII.
FULLWIDTH = (
    Notation(
        CODE,
        "（）【［：．。",
        re.compile(rf"{_FULLWIDTH_BRACKETS}|{_FULLWIDTH_WEIGHT}"),
        BRACKETS,
        "syntax where full-width punctuation counts, but not here",
        "Write it in ASCII, or say fullwidth=True; False if it is meant as text.",
    ),
    Notation(
        CODE,
        "（【［",
        re.compile(_FULLWIDTH_BRACKETS),
        {"compel"},
        "a bracket in ASCII, but not here",
        "Write it in ASCII; fullwidth=False if it is meant as text.",
    ),
)


def find_fullwidth(text: str) -> tuple[int, int] | None:
    """Find the first full-width bracket or weight; None if there is none."""
    match = FULLWIDTH[0].pattern.search(text)
    return None if match is None else match.span()


def with_lookalikes(parsed: ParsedPrompt, *, fullwidth: bool | None = False) -> ParsedPrompt:
    """Add an issue for each thing in a prompt that would mean more in another dialect.

    Args:
        fullwidth: whether full-width punctuation was read as syntax; None = it was not, but the
            user has not said so, which adds issues about it.
    """
    kinds = LOOKALIKES if fullwidth is not None else (*LOOKALIKES, *FULLWIDTH)
    read_here = (kind for kind in (*NOTATIONS, *kinds) if parsed.syntax in kind.readers)
    found = sorted((each for kind in read_here for each in _find(parsed, kind)), key=itemgetter(0))
    issues, reached = _heavy(parsed), 0
    for start, stop, issue in found:
        if start >= reached:  # one place is one issue: `1.3::cat::` holds `cat::`
            issues.append(issue)
            reached = stop
    if not issues:
        return parsed
    issues = sorted([*parsed.issues, *issues], key=lambda issue: issue.position)
    return replace(parsed, issues=tuple(issues[:MOST_ISSUES]))


def _find(parsed: ParsedPrompt, kind: Notation) -> Iterator[tuple[int, int, Issue]]:
    source = parsed.source
    is_none = not any(sign in source for sign in kind.signs)
    if is_none or (kind.unless is not None and kind.unless.search(source)):
        return
    for match in islice(kind.pattern.finditer(source), MOST_ISSUES):
        group = "shown" if match.groupdict().get("shown") else 0
        start = _with_bracket(source, *match.span(group))
        words = source[start : match.end(group)]
        message = f"{excerpt(words, SHOWN)!r} is {kind.meaning}"
        issue = Issue(message, start, match.expand(kind.remedy), kind.code, (words,))
        yield match.start(group), match.end(group), issue


def _heavy(parsed: ParsedPrompt) -> list[Issue]:
    """Make an issue of each weight out of all measure: a slip, or a ratio in brackets."""
    issues: list[Issue] = []
    last = 1.0
    for segment in parsed.segments:
        weight, before, last = segment.weight, last, segment.weight
        is_heavy = abs(weight) > MOST_WEIGHT or (weight > 1.0 and _is_ratio(parsed.source, segment))
        if is_heavy and weight != before and len(issues) < MOST_ISSUES:
            shown = excerpt(segment.text.strip(), SHOWN)
            message = f"{shown!r} has the weight {weight:g}, which is hardly meant"
            issues.append(Issue(message, segment.start, _USEFUL, "weight", (segment.text,)))
    return issues


def _is_ratio(source: str, segment: Segment) -> bool:
    """Whether a weight is the second number of `16:9` or `10:30`."""
    colon = source[segment.stop : segment.stop + 1]
    return segment.weight.is_integer() and segment.text[-1:].isdigit() and colon in _COLONS


def _with_bracket(source: str, start: int, stop: int) -> int:
    """Find the bracket that a `:1.3)` or `)1.3` closes, if it is near; else return the start."""
    closing = source[start] if source[start] in _CLOSING else source[stop - 1]
    if source[start] in _OPENING or closing not in _CLOSING:
        return start
    near = max(0, start - SHOWN)
    opening = max(source.rfind(bracket, near, start) for bracket in _CLOSING[closing])
    return start if opening < 0 else opening
