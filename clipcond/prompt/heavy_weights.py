"""Find weights out of all measure: slips, or ratios in brackets."""

from __future__ import annotations

from clipcond.errors import excerpt
from clipcond.prompt.notations import MOST_WEIGHT
from clipcond.prompt.scanner import ascii_signs
from clipcond.prompt.segments import MOST_ISSUES, Issue, ParsedPrompt, Segment

_SHOWN = 40  # characters
_USEFUL = "Useful weights are between 0 and 2"
_LITERAL = f"{_USEFUL}; brackets that are text are written \\( and \\)."
_COLONS = (":", "：")


def heavy_weights(parsed: ParsedPrompt) -> list[Issue]:
    """Make an issue of each weight out of all measure: a slip, or a ratio in brackets."""
    issues: list[Issue] = []
    last = 1.0
    for segment in parsed.segments:
        weight, before, last = segment.weight, last, segment.weight
        is_heavy = abs(weight) > MOST_WEIGHT or (weight > 1.0 and _is_ratio(parsed.source, segment))
        if is_heavy and weight != before and len(issues) < MOST_ISSUES:
            shown = excerpt(segment.text.strip(), _SHOWN)
            message = f"{shown!r} has the weight {weight:g}, which is hardly meant"
            is_bracket = parsed.syntax != "novelai" and "(" in ascii_signs(parsed.source)
            remedy = _LITERAL if is_bracket else f"{_USEFUL}."
            issues.append(Issue(message, segment.start, remedy, "weight", (segment.text,)))
    return issues


def _is_ratio(source: str, segment: Segment) -> bool:
    """Whether a weight is the second number of `16:9` or `10:30`."""
    colon = source[segment.stop : segment.stop + 1]
    return segment.weight.is_integer() and segment.text[-1:].isdigit() and colon in _COLONS
