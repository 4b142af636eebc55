"""Find full-width brackets that may be syntax or text: `一只【红色的】猫`, and one never closed.

`wide_signs` finds those that are hardly text; round ones between Chinese words, as
in `你好（世界）`, hardly ever are syntax.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import clipcond.lazy_re as re
from clipcond.errors import excerpt
from clipcond.prompt.bracket_misreadings import SHOWN
from clipcond.prompt.notations import BRACKETS
from clipcond.prompt.other_dialects import LABELS_CJK
from clipcond.prompt.parsing import Syntax, parse
from clipcond.prompt.scanner import CLOSING_BRACKETS, is_never_closed
from clipcond.prompt.segments import MOST_ISSUES, Issue

_SQUARE = re.compile(
    rf"(?<!\\)[【［](?!{LABELS_CJK}\s?[:：】］])(?=[^\W\d])[^【】［］\n]{{1,60}}[】］]"
)
_OPENING = "（【［"
_EYES = frozenset(":;=：；＝")
_AS_SYNTAX = "Say fullwidth=True if it is meant as syntax."
_AS_TEXT = "fullwidth=False if it is meant as text."


def doubtful_fullwidth(text: str, syntax: str | Syntax) -> Iterator[Issue]:
    """Make an issue of each full-width bracket that is read as text, and may be syntax.

    Args:
        text: a prompt that is read without full-width punctuation, although nobody asked for that.
        syntax: one that can read such punctuation.
    """
    read = parse(text, syntax, fullwidth=True)
    squares = read.syntax in BRACKETS - {"comfyui"}
    for found in islice(_SQUARE.finditer(text), MOST_ISSUES if squares else 0):
        message = (
            f"{excerpt(found[0], SHOWN)!r} is text here, and a weight where full-width "
            "punctuation counts"
        )
        yield Issue(message, found.start(), _AS_SYNTAX, "fullwidth", (found[0],))
    for issue in read.issues:
        at = issue.position
        sign = text[at : at + 1]
        is_smiley = text[at - 1 : at] in _EYES
        if sign and sign in _OPENING and is_never_closed(text, issue) and not is_smiley:
            remedy = f"Close it with {CLOSING_BRACKETS[sign]!r}; {_AS_TEXT}"
            yield Issue(issue.message, at, remedy, "fullwidth", (sign,))
