"""Find signs of ordinary text that compel reads as weights: `C++`, `18+`, `pre- and post-war`.

compel has no escape for them. A space before the sign makes it text, and the same tokens; within
brackets it does not: a lone sign makes text of the bracket around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import clipcond.lazy_re as re
from clipcond.errors import PromptError, excerpt
from clipcond.prompt.bare_notations import WITH_HYPHEN, WITH_PLUS
from clipcond.prompt.ordinary import SPOKEN
from clipcond.prompt.segments import MOST_ISSUES, Issue, ParsedPrompt
from clipcond.prompt.syntaxes import compel

SHOWN = 40  # characters
_MOST_READ = 20  # proposals
_MOST_LENGTH = 2000  # characters of a prompt whose proposals are read back
_END = r"(?=[\s,.;()\"]|\Z)"
_AND = r"(?:and|or|to|und|oder|bis|et|ou|y|o|e|through|vs)"
_DOUBTFUL = re.compile(
    # a smiley with a nose, and half-closed eyes
    r"(?<![^\s,.!?(\"])(?P<eyes>[>]?[:;=8])-(?P<mouth>[()])"
    r"|(?<![^\s,.!?(\"])(?P<face>-(?P<lid>_)-)(?!\w)"
    # the cat--a big one--sleeps, wait-- what
    r"|(?<![\w+\-])(?P<dashed>\w{1,40})(?P<dash>--)(?=[^\W\d_])"
    rf"|(?<![\w+\-])(?P<spoken>(?i:{SPOKEN}))(?P<dash_2>--){_END}"
    # pre- and post-war
    rf"|(?<![\w+\-])(?P<hanging>(?i:{WITH_HYPHEN}))(?P<hyphen>-)(?=,?\s{_AND}\b|,\s\w)"
    # C++, 18+, Disney+, A+, Na+, Qh5+
    rf"|(?<![\w+\-.])(?P<word>[A-Zci]|\d[\d,]{{0,9}}[kKmM%]?|(?i:{WITH_PLUS})|[A-Z]{{2,6}}"
    r"|[A-Z][a-z]?\d?|[KQRBN]?[a-h]?x?[a-h][1-8](?:=[QRBN])?|O-O(?:-O)?)"
    rf"(?P<sign>\+{{1,3}}|-){_END}"
)
_GROUPS = (("spoken", "hanging", "word"), ("dash_2", "hyphen", "sign"))
_HAS_SIGN = re.compile(r"[+\-]")


def doubtful_weights(parsed: ParsedPrompt) -> Iterator[Issue]:
    """Make an issue of each sign that is a weight to compel, and hardly one to who wrote it.

    Args:
        parsed: by `syntaxes.compel`.
    """
    source = parsed.source
    if not _HAS_SIGN.search(source):
        return
    weighted = [s for s in parsed.segments if s.weight != 1.0]
    n_read = index = 0
    for match in islice(_DOUBTFUL.finditer(source), MOST_ISSUES):
        start, stop = match.span()
        while index < len(weighted) and weighted[index].stop < start:
            index += 1
        if index == len(weighted) or weighted[index].start > stop:
            continue
        written = _spaced(match)
        n_read += 1
        is_read = n_read <= _MOST_READ and len(source) <= _MOST_LENGTH
        there = f"{source[:start]}{written}{source[stop:]}"
        remedy = f"Write {written!r} for the sign as text."
        if match["eyes"]:
            remedy = f"Write {written} for the smiley."
        if is_read and not _has_fewer_weights(parsed, there):
            remedy = "Write it in words for text: no sign within brackets is."
        shown = excerpt(match[0], SHOWN)
        message = f"{shown!r} is a weight here: its sign is no text"
        yield Issue(message, start, remedy, "doubtful-weight", (match[0],))


def _spaced(match: re.Match[str]) -> str:
    """Write the signs so that they are text: a space before them, no nose."""
    if match["eyes"]:
        return f"{match['eyes']}{match['mouth']}"
    if match["face"]:
        return f"- {match['lid']} -"
    if match["dashed"]:
        return f"{match['dashed']} -- "
    words, signs = (next(filter(None, match.group(*names))) for names in _GROUPS)
    return f"{words} {signs}"


def _has_fewer_weights(parsed: ParsedPrompt, there: str) -> bool:
    """Whether a prompt has one weight less, and all others as they are."""
    try:
        again = compel.parse(there)
    except PromptError:
        return False
    own = [s.weight for s in parsed.segments if s.weight != 1.0]
    new = [s.weight for s in again.segments if s.weight != 1.0]
    return len(new) < len(own) and len(again.issues) <= len(parsed.issues)
