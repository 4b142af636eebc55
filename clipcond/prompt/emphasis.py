r"""Read the brackets of A1111, which several syntaxes share with variations.

`(x)` multiplies by 1.1, `[x]` by 1/1.1, `(x:1.3)` by 1.3 instead; nesting multiplies, and round
and square brackets may cross. `\(` `\)` `\[` `\]` `\\` are the bare character; any other backslash
vanishes. Brackets that do not match are accepted: an opening one acts to the end of the prompt, a
closing one is text. Both become issues.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter, itemgetter
from typing import TypeAlias

from clipcond.prompt.scanner import (
    ascii_signs,
    limit_weights,
    read_weight,
    unmatched_brackets,
    word_pattern,
)
from clipcond.prompt.segments import MOST_ISSUES, Issue, Part, Segment

FACTORS = {"(": 1.1, "[": 1 / 1.1}
OPENING = {")": "(", "]": "["}
BREAK = "BREAK"
_BREAK = {wide: re.compile(word_pattern(BREAK, fullwidth=wide)) for wide in (False, True)}
_SPACE = re.compile(r"\s*")


def emphasis_lexicon(number: str) -> re.Pattern[str]:
    """Make a pattern for one lexeme of the grammar; its named groups are the kinds of lexemes.

    It matches every character and does not backtrack over more than one lexeme: a scan is linear.
    Only opening brackets of one kind in a row are one lexeme.

    Args:
        number: a pattern for what is between `:` and `)`.
    """
    return re.compile(
        r"(?P<text>[^\\()\[\]:]+)"
        r"|(?P<open>\(+|\[+)"
        r"|(?P<close>[)\]])"
        rf"|(?P<weight>:{number}\))"
        r"|(?P<escape>\\[\\()\[\]]?)"
        r"|(?P<colon>:)"
    )


# Digits and dots only, so `1.2.3` and `.` are numbers here and fail as such.
NUMBER = r"[+-]?[.\d]+"
SPACED_NUMBERS = emphasis_lexicon(rf"\s*{NUMBER}\s*")
TIGHT_NUMBERS = emphasis_lexicon(NUMBER)

# Where a text starts, without and with its escape, where it stops, the innermost round and square
# bracket around it, -1.0 for BREAK.
# Tuples, not objects: the garbage collector would look at those over and over in a long prompt.
_Piece: TypeAlias = tuple[int, int, int, int, int, float]

# A product keeps the reference's order of multiplication, hence its last bit, for texts inside at
# most so many brackets, and at any depth where all brackets are alike. Deeper, the factors beyond
# are multiplied once for all texts: n brackets around n texts then cost n steps, not n * n.
EXACT_DEPTH = 32
OUTSIDE = 0


class _Brackets:
    """All brackets of one prompt, and what they multiply to.

    A closing bracket multiplies everything since its opening. So the weight of a text is the
    product of the factors of all brackets around it, innermost first: in floating point the order
    decides the last bit. Round and square brackets nest independently and may cross, so the
    brackets around a text are two chains, merged by where they close.

    Brackets are numbered as they open, from 1; OUTSIDE is the number of none. What is never closed
    acts to the end of the prompt: there round brackets close before square ones.

    Args:
        length: of the prompt.
    """

    def __init__(self, length: int) -> None:
        self.innermost = {"(": OUTSIDE, "[": OUTSIDE}
        self.n_open = 0
        self._length = length
        self._opened = array("q", [-1])
        self._closed = array("d", [math.inf])
        self._factor = array("d", [1.0])
        self._parent = array("q", [OUTSIDE])
        self._of_equals = array("d")
        self._products = array("d"), array("q")

    def open(self, kind: str, position: int, n: int) -> None:
        """Open n brackets in a row inside the innermost one of their kind."""
        first, end = len(self._parent), self._length + (kind == "[")
        self._opened.extend(range(position, position + n))
        self._closed.extend(array("d", [end]) * n)
        self._factor.extend(array("d", [FACTORS[kind]]) * n)
        self._parent.append(self.innermost[kind])
        self._parent.extend(range(first, first + n - 1))
        self.innermost[kind] = first + n - 1
        self.n_open += n

    def close(self, kind: str, factor: float, position: int) -> None:
        """Close the innermost bracket of a kind; it multiplies its content by the factor."""
        bracket = self.innermost[kind]
        self._factor[bracket] = factor
        self._closed[bracket] = position
        self.innermost[kind] = self._parent[bracket]
        self.n_open -= 1

    def unclosed(self) -> Iterator[int]:
        """Yield where the brackets were opened that nothing has closed, in order."""
        if self.n_open:
            never = self._length
            ends = zip(self._opened, self._closed, strict=True)
            yield from islice((at for at, end in ends if end >= never), 1, None)

    def weight(self, a: int, b: int) -> float:
        """Multiply the factors around a text, once all of the prompt is read.

        Args:
            a, b: the innermost brackets around it, one of each kind.
        """
        if OUTSIDE in (a, b) and (product := self._product_of_equals(a or b)) is not None:
            return product
        parent, factor, closed = self._parent, self._factor, self._closed
        value = 1.0
        for _ in range(EXACT_DEPTH):
            if closed[a] > closed[b]:
                a, b = b, a
            value *= factor[a]
            a = parent[a]
            if a == b == OUTSIDE:
                return value
        return self._times_rest(value, a, b)

    def _product_of_equals(self, bracket: int) -> float | None:
        """Multiply the factors of a bracket and those around it; None if they differ."""
        products, factors = self._of_equals, self._factor
        for n in range(len(products), len(factors)):
            around, product = self._parent[n], math.nan
            if around == OUTSIDE:
                product = factors[n]
            elif factors[around] == factors[n]:
                product = products[around] * factors[n]
            products.append(product)
        return None if math.isnan(products[bracket]) else products[bracket]

    def _times_rest(self, value: float, a: int, b: int) -> float:
        """Multiply by all factors around two brackets, as mantissa and exponent: no overflow."""
        mantissas, exponents = self._products
        for n in range(len(mantissas), len(self._parent)):
            around = self._parent[n]
            outer, exponent = (mantissas[around], exponents[around]) if n else (1.0, 0)
            mantissa, shift = math.frexp(outer * self._factor[n])
            mantissas.append(mantissa)
            exponents.append(exponent + shift)
        mantissa, exponent = math.frexp(value * mantissas[a] * mantissas[b])
        try:
            return math.ldexp(mantissa, exponent + exponents[a] + exponents[b])
        except OverflowError:
            return math.copysign(math.inf, mantissa)


def read_emphasis(
    source: str, lexicon: re.Pattern[str], *, has_breaks: bool = True, fullwidth: bool = False
) -> tuple[tuple[Segment, ...], list[Issue]]:
    """Read a prompt as segments, neighbours of equal weight joined, and issues in order.

    The word BREAK comes as a segment of that text, at -1.0, or minus the weight of the brackets
    around it; each syntax decides what that means. A prompt without text is one empty segment.

    Args:
        lexicon: from `emphasis_lexicon`.
        has_breaks: False where BREAK is a word like any other.
        fullwidth: whether full-width punctuation is syntax too; text stays as it is typed.
    Raises:
        PromptSyntaxError: a weight is not a finite number.
    """
    brackets = _Brackets(len(source))
    pieces, stray = _scan(source, lexicon, brackets, has_breaks and BREAK in source, fullwidth)
    joined = _join(source, pieces, brackets)
    segments, issues = limit_weights(joined or [Segment("", 1.0, 0, 0)])
    issues += unmatched_brackets(source, merge(stray, brackets.unclosed()))
    return segments, sorted(issues, key=attrgetter("position"))


def _scan(
    source: str,
    lexicon: re.Pattern[str],
    brackets: _Brackets,
    has_breaks: bool,
    fullwidth: bool,
) -> tuple[list[_Piece], array[int]]:
    """Walk the source once, opening and closing brackets.

    Returns:
        the pieces of text, and where the brackets are that close nothing.
    """
    signs = ascii_signs(source, fullwidth=fullwidth)
    pieces: list[_Piece] = []
    stray = array("q")
    for lexeme in lexicon.finditer(signs):
        kind, (start, stop) = lexeme.lastgroup, lexeme.span()
        a, b = brackets.innermost.values()
        if kind == "open":
            brackets.open(signs[start], start, stop - start)
        elif kind == "weight" and a:
            brackets.close("(", read_weight(source, start + 1, stop - 1, signs), start)
        elif kind == "close" and brackets.innermost[opening := OPENING[signs[start]]]:
            brackets.close(opening, FACTORS[opening], start)
        elif kind == "text" and has_breaks:
            for begin, end, sign in _split_at_breaks(source, start, stop, fullwidth):
                pieces.append((begin, begin, end, a, b, sign))
        else:
            if kind in ("weight", "close"):
                stray.append(stop - 1)
            last = pieces[-1] if pieces and kind != "escape" else None
            if last is not None and last[2:] == (start, a, b, 1.0):
                pieces[-1] = (*last[:2], stop, a, b, 1.0)
            else:
                pieces.append((start + (kind == "escape"), start, stop, a, b, 1.0))
    return pieces, stray


def _split_at_breaks(
    source: str, start: int, stop: int, fullwidth: bool
) -> Iterator[tuple[int, int, float]]:
    """Cut source[start:stop] at every BREAK, and drop the whitespace around it.

    Yields:
        (start, stop, sign); of BREAK the sign is -1.0. A piece, maybe empty, is on both sides.
    """
    run = source[start:stop]
    begin = 0
    # Whitespace is not part of the pattern: looking for it at every place would be quadratic.
    for match in _BREAK[fullwidth].finditer(run):
        yield start + begin, start + begin + len(run[begin : match.start()].rstrip()), 1.0
        yield start + match.start(), start + match.end(), -1.0
        space = _SPACE.match(run, match.end())
        begin = space.end() if space else match.end()
    yield start + begin, stop, 1.0


def _join(source: str, pieces: list[_Piece], brackets: _Brackets) -> list[Segment]:
    """Join neighbours of equal weight: `(a)(b)` is one text, and one token if `ab` is one."""
    runs = (
        (sign * brackets.weight(a, b), list(run))
        for (a, b, sign), run in groupby(pieces, key=itemgetter(3, 4, 5))
    )
    segments = []
    for weight, neighbours in groupby(runs, key=itemgetter(0)):
        joined = [piece for _, run in neighbours for piece in run]
        text = "".join([source[begin:stop] for begin, _, stop, *_ in joined])
        segments.append(Segment(text, weight, joined[0][1], joined[-1][2]))
    return segments


def read_break_as_word(
    source: str, *, fullwidth: bool = False
) -> tuple[tuple[Segment, ...], list[Issue]]:
    """Read a prompt as do parsers that know BREAK but start no chunk at it.

    Numbers are without spaces. BREAK stays the word "break", at minus the weight around it, and
    becomes an issue.
    """
    segments, issues = read_emphasis(source, TIGHT_NUMBERS, fullwidth=fullwidth)
    remedy = "Leave it out, or use dialect 'a1111'."
    issues += break_issues(segments, "BREAK starts no chunk in this dialect", remedy)
    return segments, sorted(issues, key=attrgetter("position"))


def break_issues(parts: Sequence[Part], message: str, remedy: str) -> list[Issue]:
    """Make an issue of each BREAK that is no break but a word, up to MOST_ISSUES."""
    breaks = [part for part in parts if isinstance(part, Segment) and part.text == BREAK]
    message += ": it is the word 'break' at weight"
    return [
        Issue(f"{message} {part.weight:g}", part.start, remedy, "break-weight")
        for part in breaks[:MOST_ISSUES]
    ]
