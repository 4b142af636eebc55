"""Find the full-width brackets and weights of a prompt that are hardly text, and make them ASCII.

`（猫：1.3）` hardly is, `（世界）` is: `（猫：1.3）（世界）` becomes `(猫:1.3)（世界）`.
"""

from __future__ import annotations

from collections.abc import Iterator

import clipcond.lazy_re as re
from clipcond.prompt.bracket_slips import NEAR
from clipcond.prompt.fullwidth_notations import WIDE_SYNTAX
from clipcond.prompt.scanner import ascii_signs

_COLONS = (":", "：")
_BRACKETS = re.compile("[（）【】［］：｜]")
_NUMBER = re.compile(r"(?<=[:：])\s*[+\-＋－]?[.．。\d]+(?=\s*[)）\]】］]|\Z)")


def wide_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each full-width bracket or weight begins and ends, in order."""
    for match in WIDE_SYNTAX.finditer(text):
        start, stop = match.span()
        if text[start] in _COLONS:  # of a weight: the whole bracket
            opened = max(text.rfind(sign, max(0, stop - NEAR), start) for sign in "(（")
            start = opened if opened >= 0 else start
        if text[start - 1 : start] != "\\":
            yield start, stop


def find_fullwidth(text: str) -> tuple[int, int] | None:
    """Find the first full-width bracket or weight; None if there is none."""
    return next(wide_spans(text), None)


def with_ascii_signs(text: str) -> str:
    """Write the brackets, colons and numbers of these in ASCII; other text stays as it is typed."""
    pieces, at = [], 0
    for start, stop in wide_spans(text):
        if start < at:
            start = at
        inner = _BRACKETS.sub(lambda found: ascii_signs(found[0]), text[start:stop])
        pieces += [text[at:start], _NUMBER.sub(lambda found: ascii_signs(found[0]), inner)]
        at = max(at, stop)
    return "".join([*pieces, text[at:]])
