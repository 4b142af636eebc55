"""Read what several syntaxes have in common: words, numbers, full-width signs, stray brackets."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import merge
from itertools import groupby, islice
from operator import itemgetter

from clipcond.errors import PromptSyntaxError, excerpt
from clipcond.prompt.segments import MOST_ISSUES, Issue, Segment

# Full-width punctuation, as Chinese input methods type it, and the ASCII sign that each replaces.
_WIDE = "（）【】［］：，｜＼＋－０１２３４５６７８９．。"
_ASCII = "()[][]:,|\\+-0123456789.."
FULLWIDTH_SIGNS = dict(zip(_WIDE, _ASCII, strict=True))
# The opening bracket of each closing one that some syntax has.
OPENING = {")": "(", "]": "[", "}": "{", "⟧": "⟦"}
CLOSING_BRACKETS = {"(": ")", "[": "]", "（": "）", "【": "】", "［": "］"}
SPOILS = ", and makes the brackets after it plain text"

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


def gaps(spans: Iterable[tuple[int, int]], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield what spans leave between them from start to stop, but nothing empty."""
    for begin, end in spans:
        if start < begin:
            yield start, begin
        start = end
    if start < stop:
        yield start, stop


def segments_of(
    source: str,
    pieces: Iterable[tuple[float, int, int]],
    finish: Callable[[Segment], Segment] = lambda segment: segment,
) -> tuple[tuple[Segment, ...], list[Issue]]:
    """Make segments of pieces (weight, start, stop): neighbours of equal weight are joined.

    Args:
        finish: resolves the escapes of a segment.
    Returns:
        the segments, of no pieces one empty segment; and an issue if weights had to be limited.
    """
    runs = groupby(pieces, key=itemgetter(0))
    segments = [finish(join_spans(source, weight, (s for _, *s in run))) for weight, run in runs]
    return limit_weights(segments or [Segment("", 1.0, 0, 0)])


def join_spans(source: str, weight: float, spans: Iterable[Sequence[int]]) -> Segment:
    """Make one segment of the texts source[start:stop], in order; at least one."""
    texts, start, stop = [], None, 0
    for begin, stop in spans:
        start = begin if start is None else start
        texts.append(source[begin:stop])
    return Segment("".join(texts), weight, start or 0, stop)


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
    limited = (
        s if math.isfinite(s.weight) else replace(s, weight=math.copysign(most, s.weight))
        for s in segments
    )
    return tuple(limited), [issue]


def unmatched_brackets(
    source: str, positions: Iterable[int], n_all: int, spoiled: int = 0
) -> list[Issue]:
    """Make an issue of each bracket that has no partner, up to MOST_ISSUES; then one for the rest.

    Args:
        positions: where the brackets are, in order; no more than MOST_ISSUES + 1 are read.
        n_all: how many there are.
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
            message += SPOILS
        remedy = f"Remove it or {literal}"
        issues.append(Issue(message, position, remedy, "bracket"))
    if (first := next(waiting, None)) is not None:
        message = f"{n_all - MOST_ISSUES} more brackets that do not match"
        issues.append(Issue(message, first, code="bracket"))
    return issues


def is_never_closed(source: str, issue: Issue) -> bool:
    """Whether an issue is about an opening bracket."""
    sign = source[issue.position : issue.position + 1]
    return issue.code == "bracket" and (sign in CLOSING_BRACKETS or sign in OPENING.values())


FACTORS = {"(": 1.1, "[": 1 / 1.1}
# A product keeps the reference's order of multiplication, hence its last bit, for texts inside at
# most so many brackets, and at any depth where all brackets are alike. Deeper, the factors are
# multiplied once for all texts: n brackets around n texts then cost n steps, not n * n.
EXACT_DEPTH = 32
OUTSIDE = 0


class Brackets:
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
        self._depth = array("I", [0])  # of brackets of its kind, itself included
        self._of_equals = array("d")
        self._products = array("d"), array("i")

    def open(self, kind: str, start: int, stop: int) -> None:
        """Open one bracket of a kind at each position, inside the innermost one of that kind."""
        factor, end = FACTORS[kind], self._length + (kind == "[")
        inner = self.innermost[kind]
        for position in range(start, stop):
            self._parent.append(inner)
            self._depth.append(self._depth[inner] + 1)
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
        if self._depth[a] + self._depth[b] > EXACT_DEPTH:
            return self._times_all(a, b)
        parent, factor, closed = self._parent, self._factor, self._closed
        value = 1.0
        while a or b:
            if closed[a] > closed[b]:
                a, b = b, a
            value *= factor[a]
            a = parent[a]
        return value

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

    def _times_all(self, a: int, b: int) -> float:
        """Multiply all factors around a text, as mantissa and exponent: no overflow."""
        mantissas, exponents = self._products
        for n in range(len(mantissas), len(self._parent)):
            around = self._parent[n]
            outer, exponent = (mantissas[around], exponents[around]) if n else (1.0, 0)
            mantissa, shift = math.frexp(outer * self._factor[n])
            mantissas.append(mantissa)
            exponents.append(exponent + shift)
        mantissa, exponent = math.frexp(mantissas[a] * mantissas[b])
        try:
            return math.ldexp(mantissa, exponent + exponents[a] + exponents[b])
        except OverflowError:
            return math.copysign(math.inf, mantissa)
