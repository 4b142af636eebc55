"""Hold the brackets of A1111's emphasis, and what they multiply to."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from heapq import merge
from itertools import islice

from clipcond.prompt.segments import MOST_ISSUES

FACTORS = {"(": 1.1, "[": 1 / 1.1}
# A product keeps the reference's order of multiplication, hence its last bit, for texts inside at
# most so many brackets, and at any depth where all brackets are alike. Deeper, the factors beyond
# are multiplied once for all texts: n brackets around n texts then cost n steps, not n * n.
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
