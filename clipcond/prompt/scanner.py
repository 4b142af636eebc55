"""Read what several syntaxes have in common: words, numbers, full-width signs, stray brackets."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from clipcond.errors import PromptSyntaxError, excerpt
from clipcond.prompt.segments import MOST_ISSUES, Issue, Segment

# Full-width punctuation, as Chinese input methods type it, and the ASCII sign that each replaces.
_WIDE = "（）【】［］：，｜＼＋－０１２３４５６７８９．。"
_ASCII = "()[][]:,|\\+-0123456789.."
FULLWIDTH_SIGNS = dict(zip(_WIDE, _ASCII, strict=True))
CLOSING_BRACKETS = {"(": ")", "[": "]", "（": "）", "【": "】", "［": "］"}

_TABLE = str.maketrans(FULLWIDTH_SIGNS)


def ascii_signs(source: str, *, fullwidth: bool = True) -> str:
    """Replace full-width signs by ASCII ones, character for character.

    Positions stay the same. So a syntax looks for its signs in the result and takes text from the
    source, as it was typed: `，` stays the comma that a Chinese tower was trained on.

    Args:
        fullwidth: False returns the source as it is.
    """
    return source.translate(_TABLE) if fullwidth else source


def word_pattern(word: str, *, fullwidth: bool = False) -> str:
    r"""Make a pattern that finds a whole word.

    Args:
        fullwidth: only ASCII letters, digits and `_` belong to a word, so that `猫BREAK狗` holds
            the word BREAK: no space parts words in Chinese.
    """
    return rf"(?a:\b{word}\b)" if fullwidth else rf"\b{word}\b"


def read_weight(source: str, start: int, stop: int, signs: str | None = None) -> float:
    """Read the number in source[start:stop]; spaces around it are ignored.

    Args:
        signs: the source with its full-width digits as ASCII, where those count.
    Raises:
        PromptSyntaxError: it is not a finite number.
    """
    field = source[start:stop]
    try:
        weight = float(field if signs is None else signs[start:stop])
    except ValueError:
        weight = math.nan
    if math.isfinite(weight):
        return weight
    shown = excerpt(field.strip(), 20)
    position = start + len(field) - len(field.lstrip())
    if math.isnan(weight):
        remedy = "Write a decimal number such as 1.2."
        raise PromptSyntaxError(f"{shown!r} is not a number", source, position, remedy)
    # The references go on with infinity, and every image comes out black.
    remedy = "Weights are near 1.0; most models tolerate 0.5 to 1.5."
    raise PromptSyntaxError(f"the weight {shown} is not finite", source, position, remedy)


def limit_weights(segments: Sequence[Segment]) -> tuple[tuple[Segment, ...], list[Issue]]:
    """Replace infinite weights by the largest number; the references go on with infinity.

    Returns:
        the segments, and an issue at the first that was changed.
    """
    beyond = [segment for segment in segments if not math.isfinite(segment.weight)]
    if not beyond:
        return tuple(segments), []
    most = sys.float_info.max
    message = "the brackets around this multiply to more than a number can hold"
    issue = Issue(message, beyond[0].start, "Nest fewer brackets.", "weight")
    return tuple(replace(s, weight=max(-most, min(most, s.weight))) for s in segments), [issue]


def unmatched_brackets(source: str, positions: Iterable[int], spoiled: int = 0) -> list[Issue]:
    """Make an issue of each bracket that has no partner, up to MOST_ISSUES; then one for the rest.

    Args:
        positions: where the brackets are, in order.
        spoiled: a closing bracket before this position turns the brackets after it into text.
    """
    issues = []
    waiting = iter(positions)
    for position in islice(waiting, MOST_ISSUES):
        bracket = source[position]
        literal = f"write '\\{bracket}' for a literal bracket."
        if bracket in CLOSING_BRACKETS:
            remedy = f"Close it with {CLOSING_BRACKETS[bracket]!r} or {literal}"
            message = f"{bracket!r} is never closed"
            issues.append(Issue(message, position, remedy, "bracket"))
            continue
        message = f"{bracket!r} closes nothing"
        if position < spoiled:
            message += ", and makes the brackets after it plain text"
        remedy = f"Remove it or {literal}"
        issues.append(Issue(message, position, remedy, "bracket"))
    if (first := next(waiting, None)) is not None:
        n_left = 1 + sum(1 for _ in waiting)
        message = f"{n_left} more brackets that do not match"
        issues.append(Issue(message, first, code="bracket"))
    return issues
