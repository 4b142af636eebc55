"""Find weights whose bracket was never opened, as in `a cat dog:1.3)` and `(dog):1.3)`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import clipcond.lazy_re as re
from clipcond.errors import excerpt
from clipcond.prompt.bracket_misreadings import HAS_SMILEY
from clipcond.prompt.notations import CJK, NO_MEASURE, SMALL, weight_in
from clipcond.prompt.scanner import SPOILS
from clipcond.prompt.segments import MOST_ISSUES, Issue, ParsedPrompt

ROUNDLESS = frozenset({"diffusers", "novelai"})  # which know no round brackets
NEVER_OPENED = "no weight: its bracket is never opened"
_SHOWN = 40
_SMILEY = re.compile(HAS_SMILEY)  # whose bracket closes the other
_BRACKET = re.compile(r"[()]")
_WEIGHT = re.compile(
    rf"(?:(?<!\\)\((?P<words>[^()\[\]\n]{{1,60}})\)|(?<![\w\-)\]])(?P<word>[^\W\d_][\w\-]{{0,40}}|[{CJK}]{{1,20}}))"
    rf"{NO_MEASURE.replace('(?=:)', '')}\s?:\s?(?P<number>{SMALL})\s?(?P<closing>\))"
)


def unopened_weights(parsed: ParsedPrompt, folded: str) -> Iterator[tuple[int, int, Issue]]:
    """Make an issue of each weight whose closing bracket closes nothing.

    Args:
        folded: the prompt, full-width signs as ASCII ones.
    Returns:
        where each begins and ends, and the issue.
    """
    if parsed.syntax == "plain" or ")" not in folded or ":" not in folded:
        return
    matches = list(islice(_WEIGHT.finditer(folded), MOST_ISSUES))
    closings = _unopened(parsed, folded) if matches else set()
    for match in matches:
        if match.start("closing") not in closings or _SMILEY.search(
            folded, 0, match.start("closing")
        ):
            continue
        start, stop = match.span()
        words = parsed.source[start:stop]
        weight = weight_in(parsed.syntax, match["words"] or match["word"], match["number"])
        message = f"{excerpt(words, _SHOWN)!r} is {NEVER_OPENED}"
        yield start, stop, Issue(message, start, f"Write {weight}.", "weight", (words,))


def _unopened(parsed: ParsedPrompt, folded: str) -> set[int]:
    """List the positions of brackets that close nothing."""
    if parsed.syntax not in ROUNDLESS:
        return {
            issue.position
            for issue in parsed.issues
            if issue.code == "bracket" and not issue.message.endswith(SPOILS)
        }
    found: set[int] = set()
    depth = 0
    for bracket in _BRACKET.finditer(folded):
        depth += 1 if bracket[0] == "(" else -1
        if depth < 0:
            found.add(bracket.start())
            depth = 0
    return found
