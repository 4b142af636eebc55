"""Find what in a prompt looks like another dialect than the one that reads it.

Prompts are copied from page to page, and nothing in `(cat:1.3)` says which tool it was written for.
To another tool it is not an error but text, which silently does something else. Only what hardly
occurs in ordinary text counts: `cat++` and `(cat:1.3)`, but not `C++` or `(16:9)`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from clipcond.errors import excerpt
from clipcond.prompt.segments import MOST_ISSUES, Issue, ParsedPrompt

SHOWN = 40  # characters
CHOOSE_A1111 = "Choose dialect 'a1111'."
A1111_WEIGHT = "a weight in dialect 'a1111'"
BRACKETS = frozenset({"a1111", "comfyui", "lpw", "lpw_xl", "sd_embed"})
TIGHT = frozenset({"lpw", "lpw_xl", "sd_embed"})
WITHOUT_BRACKETS = frozenset({"compel", "diffusers"})
ALL = BRACKETS | WITHOUT_BRACKETS

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


class _Lookalike(NamedTuple):
    """Something that means more to another tool.

    Args:
        pattern: linear in the prompt's length.
        readers: the syntaxes that read it as text.
        meaning: completes the sentence "... is ..., but not here".
        remedy: what to do instead.
    """

    pattern: re.Pattern[str]
    readers: Collection[str]
    meaning: str
    remedy: str


LOOKALIKES = (
    _Lookalike(
        re.compile(_WEIGHT),
        {"compel"},
        A1111_WEIGHT,
        "Write (cat)1.3, or choose dialect 'a1111'.",
    ),
    _Lookalike(re.compile(_WEIGHT), {"diffusers"}, A1111_WEIGHT, CHOOSE_A1111),
    _Lookalike(
        re.compile(r"(?<!\\)\(\((?=\s*\w)[^()\\]+\)\)"),
        WITHOUT_BRACKETS,
        A1111_WEIGHT,
        CHOOSE_A1111,
    ),
    _Lookalike(
        re.compile(_SPACED_WEIGHT),
        TIGHT | WITHOUT_BRACKETS,
        A1111_WEIGHT,
        "Leave out the spaces, or choose dialect 'a1111'.",
    ),
    _Lookalike(
        re.compile(rf"{_SIGNED_WORD}|{_SIGNED_BRACKET}"),
        ALL - {"compel"},
        "a weight in dialect 'compel'",
        "Write (cat:1.2), or choose dialect 'compel'.",
    ),
    _Lookalike(
        re.compile(r"(?<=[)\"\w])\.(?:blend|and|add|swap|attend)\("),
        ALL - {"compel"},
        "a conjunction of prompts, or a change, in dialect 'compel'",
        "Choose dialect 'compel'.",
    ),
    _Lookalike(
        re.compile(r"\bBREAK\b"),
        WITHOUT_BRACKETS | {"comfyui", "lpw"},
        "a new chunk in dialect 'a1111'",
        "Leave it out, or choose dialect 'a1111'.",
    ),
    _Lookalike(
        re.compile(r"\[[^\[\]:|]*(?::[^\[\]:|]*)?:\s*(?:\d+(?:\.\d*)?|\.\d+)\s*\]"),
        ALL - {"a1111"},
        "prompt editing in dialect 'a1111'",
        CHOOSE_A1111,
    ),
    _Lookalike(
        re.compile(r"\[(?=\s*\w)[^\[\]:|]+\|[^\[\]:]*\]"),
        ALL - {"a1111"},
        "alternation in dialect 'a1111'",
        CHOOSE_A1111,
    ),
    _Lookalike(
        re.compile(r"(?:(?<=[\s,(])|^)embedding:\w[\w.\-]*"),
        ALL - {"comfyui"},
        "a textual inversion in dialect 'comfyui'",
        "Load it with load_textual_inversion(..., token='<it>') and write <it>.",
    ),
    _Lookalike(
        re.compile(r"<(?:lora|lyco|hypernet):[^<>\n]{1,200}>"),
        ALL,
        "a network that A1111's user interface loads",
        "Leave it out, and load the network into the pipeline: load_lora_weights.",
    ),
)
# Means more with `fullwidth=True`, or, for compel, in ASCII.
FULLWIDTH = (
    _Lookalike(
        re.compile(rf"{_FULLWIDTH_BRACKETS}|{_FULLWIDTH_WEIGHT}"),
        BRACKETS,
        "syntax where full-width punctuation counts",
        "Write it in ASCII, or say fullwidth=True; False if it is meant as text.",
    ),
    _Lookalike(
        re.compile(_FULLWIDTH_BRACKETS),
        {"compel"},
        "a bracket in ASCII",
        "Write it in ASCII; fullwidth=False if it is meant as text.",
    ),
)


def with_lookalikes(parsed: ParsedPrompt, *, fullwidth: bool | None = False) -> ParsedPrompt:
    """Add an issue for each thing in a prompt that would mean more in another dialect.

    Args:
        fullwidth: whether full-width punctuation was read as syntax; None = it was not, but the
            user has not said so, which adds issues about it.
    """
    kinds = LOOKALIKES if fullwidth is not None else (*LOOKALIKES, *FULLWIDTH)
    read_here = (kind for kind in kinds if parsed.syntax in kind.readers)
    found = [issue for kind in read_here for issue in _find(parsed, kind)]
    if not found:
        return parsed
    issues = sorted([*parsed.issues, *found], key=lambda issue: issue.position)
    return replace(parsed, issues=tuple(issues[:MOST_ISSUES]))


def _find(parsed: ParsedPrompt, kind: _Lookalike) -> Iterator[Issue]:
    source = parsed.source
    for match in islice(kind.pattern.finditer(source), MOST_ISSUES):
        start = _with_bracket(source, match.start())
        shown = excerpt(source[start : match.end()], SHOWN)
        yield Issue(f"{shown!r} is {kind.meaning}, but not here", start, kind.remedy)


def _with_bracket(source: str, position: int) -> int:
    """Find the bracket that a `:1.3)` or `)1.3` closes, if it is near; else return the position."""
    near = max(0, position - SHOWN)
    opening = max(source.rfind(bracket, near, position) for bracket in "(（")
    return position if opening < 0 or source[position] not in ":：)" else opening
