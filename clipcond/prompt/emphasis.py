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
from dataclasses import replace
from heapq import merge
from itertools import groupby, islice
from operator import attrgetter, itemgetter

from clipcond.prompt.scanner import (
    ascii_signs,
    joined,
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
_ESCAPE = {
    False: re.compile(r"\\([\\()\[\]]?)"),
    True: re.compile(r"[\\＼]([\\＼()\[\]（）【】［］]?)"),
}


def emphasis_lexicon(number: str) -> re.Pattern[str]:
    """Make a pattern for one lexeme of the grammar; its named groups are the kinds of lexemes.

    It matches every character and does not backtrack over more than one lexeme: a scan is linear.
    Brackets of one kind in a row are one lexeme, and so are up to 64 pieces of text.

    Args:
        number: a pattern for what is between `:` and `)`.
    """
    return re.compile(
        rf"(?P<text>(?:[^\\()\[\]:]+|\\[\\()\[\]]?|:(?!{number}\))){{1,64}})"
        r"|(?P<open>\(+|\[+)"
        r"|(?P<close>\)+|\]+)"
        rf"|(?P<weight>:{number}\))"
    )


# Digits and dots only, so `1.2.3` and `.` are numbers here and fail as such.
NUMBER = r"[+-]?[.\d]+"
SPACED_NUMBERS = emphasis_lexicon(rf"\s*{NUMBER}\s*")
TIGHT_NUMBERS = emphasis_lexicon(NUMBER)

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

    Arrays, not lists of objects: a prompt of ten million brackets takes less than 40 times its
    length, and the garbage collector has nothing to look at.

    Args:
        length: of the prompt.
    """

    def __init__(self, length: int) -> None:
        self.innermost = {"(": OUTSIDE, "[": OUTSIDE}
        self.n_unmatched = 0  # open, or closing nothing
        self._length = length
        self._stray = array("I")  # where the first MOST_ISSUES and one more close nothing
        self._opened = array("I", [0])
        self._closed = array("I", [length + 2])  # of OUTSIDE, behind everything
        self._factor = array("d", [1.0])
        self._parent = array("I", [OUTSIDE])
        self._of_equals = array("d")
        self._products = array("d"), array("i")

    def open(self, kind: str, start: int, stop: int) -> None:
        """Open one bracket of a kind at each position, inside the innermost one of that kind."""
        factor, end = FACTORS[kind], self._length + (kind == "[")
        inner = self.innermost[kind]
        for position in range(start, stop):
            self._parent.append(inner)
            inner = len(self._opened)
            self._opened.append(position)
            self._closed.append(end)
            self._factor.append(factor)
        self.innermost[kind] = inner
        self.n_unmatched += stop - start

    def close(self, kind: str, start: int, stop: int, factor: float) -> int:
        """Close a bracket of a kind at each position, which multiplies its content by the factor.

        Returns:
            the first position at which none is open.
        """
        bracket = self.innermost[kind]
        for position in range(start, stop):
            if bracket == OUTSIDE:
                break
            self._factor[bracket] = factor
            self._closed[bracket] = position
            bracket = self._parent[bracket]
        else:
            position = stop
        self.innermost[kind] = bracket
        self.n_unmatched -= position - start
        return position

    def add_stray(self, start: int, stop: int) -> None:
        """Note a closing bracket at each position that closes nothing."""
        self.n_unmatched += stop - start
        self._stray.extend(range(start, min(stop, start + MOST_ISSUES + 1 - len(self._stray))))

    def unmatched(self) -> Iterator[int]:
        """Yield where the first brackets are that have no partner, in order."""
        never = self._length
        ends = zip(self._opened, self._closed, strict=True)
        return merge(self._stray, islice((at for at, end in ends if end >= never), 1, None))

    def weight(self, a: int, b: int) -> float:
        """Multiply the factors around a text, once all of the prompt is read.

        Args:
            a, b: the innermost brackets around it, one of each kind.
        """
        if OUTSIDE in (a, b):
            product = (self._of_equals or self._multiply_equals())[a or b]
            if not math.isnan(product):
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

    def _multiply_equals(self) -> array[float]:
        """Multiply the factors of each bracket and those around it; NaN where they differ."""
        products, factors = self._of_equals, self._factor
        for around, factor in zip(self._parent, factors, strict=True):
            if around == OUTSIDE:
                products.append(factor)
            else:
                products.append(
                    products[around] * factor if factors[around] == factor else math.nan
                )
        return products

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


class _Texts:
    """The texts of one prompt: where each is, and the innermost brackets of each kind around it."""

    def __init__(self) -> None:
        self._numbers = array("i")  # five of each text

    def add(self, start: int, stop: int, a: int, b: int, sign: int = 1) -> None:
        """Add source[start:stop], inside brackets a and b; the sign of BREAK is -1."""
        self._numbers.extend((start, stop, a, b, sign))

    def segments(
        self, source: str, brackets: _Brackets, escape: re.Pattern[str]
    ) -> Iterator[Segment]:
        """Join neighbours of equal weight: `(a)(b)` is one text, and one token if `ab` is one."""
        pieces = zip(*[iter(self._numbers)] * 5, strict=True)
        weighted = (
            (brackets.weight(a, b) * sign, start, stop) for start, stop, a, b, sign in pieces
        )
        for weight, run in groupby(weighted, key=itemgetter(0)):
            segment = joined(source, weight, (span for _, *span in run))
            if "\\" in segment.text or "＼" in segment.text:
                segment = replace(segment, text=escape.sub(r"\1", segment.text))
            yield segment


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
    texts = _scan(source, lexicon, brackets, has_breaks and BREAK in source, fullwidth)
    segments = list(texts.segments(source, brackets, _ESCAPE[fullwidth]))
    limited, issues = limit_weights(segments or [Segment("", 1.0, 0, 0)])
    issues += unmatched_brackets(source, brackets.unmatched(), brackets.n_unmatched)
    return limited, sorted(issues, key=attrgetter("position"))


def _scan(
    source: str,
    lexicon: re.Pattern[str],
    brackets: _Brackets,
    has_breaks: bool,
    fullwidth: bool,
) -> _Texts:
    """Walk the source once, opening and closing brackets; return its texts."""
    signs = ascii_signs(source, fullwidth=fullwidth)
    texts = _Texts()
    for lexeme in lexicon.finditer(signs):
        kind, (start, stop) = lexeme.lastgroup, lexeme.span()
        a, b = brackets.innermost.values()
        if kind == "open":
            brackets.open(signs[start], start, stop)
        elif kind == "weight" and a:
            brackets.close("(", start, start + 1, read_weight(source, start + 1, stop - 1, signs))
        elif kind == "text" and has_breaks:
            for begin, end, sign in _split_at_breaks(source, start, stop, fullwidth):
                texts.add(begin, end, a, b, sign)
        elif kind == "text":
            texts.add(start, stop, a, b)
        else:
            opening = OPENING[signs[stop - 1]]
            if kind == "close":
                start = brackets.close(opening, start, stop, FACTORS[opening])
            if start < stop:
                brackets.add_stray(start if kind == "close" else stop - 1, stop)
                texts.add(start, stop, *brackets.innermost.values())
    return texts


def _split_at_breaks(
    source: str, start: int, stop: int, fullwidth: bool
) -> Iterator[tuple[int, int, int]]:
    """Cut source[start:stop] at every BREAK, and drop the whitespace around it.

    Yields:
        (start, stop, sign); of BREAK the sign is -1. A piece, maybe empty, is on both sides.
    """
    run = source[start:stop]
    begin = 0
    # Whitespace is not part of the pattern: looking for it at every place would be quadratic.
    for match in _BREAK[fullwidth].finditer(run):
        yield start + begin, start + begin + len(run[begin : match.start()].rstrip()), 1
        yield start + match.start(), start + match.end(), -1
        space = _SPACE.match(run, match.end())
        begin = space.end() if space else match.end()
    yield start + begin, stop, 1


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
        Issue(f"{message} {part.weight:g}", part.start, remedy) for part in breaks[:MOST_ISSUES]
    ]
