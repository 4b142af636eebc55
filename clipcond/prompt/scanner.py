r"""Characters, escapes, positions: what the bracket syntaxes share below their grammars.

A syntax has a lexicon, a regular expression whose alternatives are named groups, the kinds of its
lexemes; `scan` walks a prompt with it once, left to right. A lexicon must match every character and
must not backtrack over more than one lexeme, so that a prompt is scanned in linear time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TypeAlias

from clipcond.errors import PromptSyntaxError, excerpt
from clipcond.prompt.fullwidth import word as word_pattern

Lexeme: TypeAlias = tuple[str, int, int]

_SPACE = re.compile(r"\s*")


def scan(source: str, lexicon: re.Pattern[str]) -> Iterator[Lexeme]:
    """Yield (kind, start, stop) of every lexeme; together they cover the source."""
    for match in lexicon.finditer(source):
        start, stop = match.span()
        yield match.lastgroup or "", start, stop


def split_at_word(
    source: str, start: int, stop: int, word: str, *, fullwidth: bool = False
) -> Iterator[tuple[int, int, bool]]:
    """Cut source[start:stop] at a word with borders, and swallow the whitespace around it.

    `a BREAK b` gives `a`, the word, `b`. There is always a piece, maybe empty, on both sides.

    Args:
        fullwidth: whether Chinese characters are borders of a word.
    Yields:
        (start, stop, is_word) of every piece, positions in the source.
    """
    run = source[start:stop]
    begin = 0
    # Whitespace is not part of the pattern: looking for it at every place would be quadratic.
    for match in re.finditer(word_pattern(re.escape(word), fullwidth=fullwidth), run):
        end = begin + len(run[begin : match.start()].rstrip())
        yield start + begin, start + end, False
        yield start + match.start(), start + match.end(), True
        begin = _behind_space(run, match.end())
    yield start + begin, stop, False


def _behind_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    assert space is not None, "it matches nothing, too"
    return space.end()


def read_weight(source: str, start: int, stop: int, signs: str | None = None) -> float:
    """The number in source[start:stop], spaces around it ignored.

    Args:
        signs: the source with full-width digits as ASCII, where those count.
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
