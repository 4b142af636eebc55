"""What nested brackets multiply to, in linear time.

A closing bracket multiplies everything since its opening, so a text's weight is the product of
the factors of all brackets around it, in the order in which they close: innermost first. Floating
point remembers that order in the last bit. Round and square brackets nest independently and may
cross, so the brackets around a text are two chains, merged by where they close.
"""

from __future__ import annotations

import math

# The product keeps the reference's order of multiplication, hence its last bit, for texts inside
# at most so many brackets, and at any depth where all brackets are alike. Deeper, the factors
# beyond are multiplied once for all texts: n brackets around n texts then cost n steps, not n * n.
EXACT_DEPTH = 32
OUTSIDE = 0
NEVER = math.inf


class Nesting:
    """The brackets of one prompt: a forest of nodes, node 0 being outside of all."""

    def __init__(self) -> None:
        self.opened = [-1]
        self._parent = [OUTSIDE]
        self._factor = [1.0]
        self._closed = [NEVER]
        self._alike: list[int] = []
        self._powers: dict[float, list[float]] = {}
        self._products: list[tuple[float, int]] = []

    def open(self, parent: int, position: int) -> int:
        """Open a bracket inside `parent`, a node of the same kind; returns its node."""
        self.opened.append(position)
        self._parent.append(parent)
        self._factor.append(1.0)
        self._closed.append(NEVER)
        return len(self._parent) - 1

    def close(self, node: int, factor: float, position: float) -> int:
        """Close a bracket, which multiplies its content; returns the node around it."""
        self._factor[node] = factor
        self._closed[node] = position
        return self._parent[node]

    def path(self, node: int) -> list[int]:
        """A node and all around it of its kind, innermost first."""
        nodes = []
        while node != OUTSIDE:
            nodes.append(node)
            node = self._parent[node]
        return nodes

    def weight(self, a: int, b: int) -> float:
        """The product for a text whose innermost brackets are these, one of each kind.

        All brackets must be closed by now.
        """
        if OUTSIDE in (a, b):
            node = a or b
            if self._parent[node] == OUTSIDE:
                return self._factor[node]
            if (power := self._power(node)) is not None:
                return power
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

    def _power(self, node: int) -> float | None:
        """The product around a node, not OUTSIDE, if all those factors are equal, else None."""
        if not self._alike:
            self._count_alike()
        n_alike, factor = self._alike[node], self._factor[node]
        if not n_alike:
            return None
        powers = self._powers.setdefault(factor, [1.0])
        while len(powers) <= n_alike:
            powers.append(powers[-1] * factor)
        return powers[n_alike]

    def _count_alike(self) -> None:
        """For every node: how many brackets it is inside of, 0 if their factors differ."""
        alike, factors = [0], self._factor
        for factor, parent in zip(factors[1:], self._parent[1:], strict=True):
            if parent == OUTSIDE:
                alike.append(1)
            elif factors[parent] == factor and alike[parent]:
                alike.append(alike[parent] + 1)
            else:
                alike.append(0)
        self._alike = alike

    def _times_rest(self, value: float, a: int, b: int) -> float:
        """Times all factors around two nodes, each as a mantissa and an exponent: no overflow."""
        products = self._products
        while len(products) < len(self._parent):
            n = len(products)
            around, exponent = products[self._parent[n]] if n else (1.0, 0)
            mantissa, shift = math.frexp(around * self._factor[n])
            products.append((mantissa, exponent + shift))
        (mantissa_a, exponent_a), (mantissa_b, exponent_b) = products[a], products[b]
        mantissa, exponent = math.frexp(value * mantissa_a * mantissa_b)
        try:
            return math.ldexp(mantissa, exponent + exponent_a + exponent_b)
        except OverflowError:
            return math.copysign(math.inf, mantissa)
