"""Make choices of options: their weights, and those that are the same."""

from __future__ import annotations

from collections.abc import Sequence

import clipcond.lazy_re as re
from clipcond.errors import PromptSyntaxError
from clipcond.prompt.choices import Body, Choice, Literal, Source, choice_of

# Weights are compared as whole numbers, so that every machine draws the same.
_DIGITS = 9
_WEIGHT = re.compile(r"\s*(?:(?P<whole>\d{1,9})(?:\.(?P<part>\d{0,9}))?|\.(?P<only>\d{1,9}))::")
_WRONG_WEIGHT = re.compile(r"\s*[+-]?[\d.,]+(?:[eE][+-]?\d+)?\s?%?\s?::")
# NovelAI's weight of a text, which is no weight of the option
_NOVELAI = re.compile(r"\s*[+-]?[\d.]+::[^:\[\]{}]*::(?=[\s,]|\Z)")


def choice_of_options(options: Sequence[tuple[int, Body]]) -> Choice | None:
    """Make a choice of one of some options, each with its weight.

    Options of plain text that are written the same are one, with the sum of their weights.

    Returns:
        None = all have the weight 0.
    """
    bodies: list[Body] = []
    weights: list[int] = []
    places: dict[str, int] = {}
    for weight, body in options:
        if weight == 0:
            continue
        plain = [each.text for each in body if isinstance(each, Literal)]
        text = "".join(plain)
        if len(plain) == len(body) and places.setdefault(text, len(bodies)) < len(bodies):
            weights[places[text]] += weight
            continue
        bodies.append(body)
        weights.append(weight)
    return choice_of(bodies, weights) if bodies else None


def weight_of(source: Source, start: int, stop: int) -> tuple[int, int]:
    """Read the weight of an option; return where its text begins, and the weight."""
    text = source.text
    found = _WEIGHT.match(text, start, stop)
    wrong = found is None and _WRONG_WEIGHT.match(text, start, stop)
    if not (found or wrong) or _NOVELAI.match(text, start, stop):
        return start, 10**_DIGITS
    if found is None:
        message = f"{source.place}a weight is a number from 0 on, such as 0.5::"
        raise PromptSyntaxError(message, text, start, "Write 1:: before what is text.")
    part = found["only"] or found["part"] or ""
    return found.end(), int((found["whole"] or "0") + part.ljust(_DIGITS, "0"))


def joined(items: Sequence[Literal | Choice]) -> Body:
    """Join literals that are next to each other in their source."""
    parts: list[Literal | Choice] = []
    first = last = None
    for each in (*items, None):
        if isinstance(each, Literal) and last is not None and last.stop == each.start:
            last = each
            continue
        if first is not None and last is not None:
            is_one = first is last
            parts.append(first if is_one else Literal(first.source, first.start, last.stop))
        first = last = each if isinstance(each, Literal) else None
        if isinstance(each, Choice):
            parts.append(each)
    return tuple(parts)
