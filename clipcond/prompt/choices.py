"""Hold the choices of a template, and number what they can give: exact integers, no enumeration.

A text of a template is a sequence of literals and choices. A choice takes from `least` to `most` of
its options, in any order, none twice. What it can give is numbered by how many options it takes,
then by which in which order, then by the texts of those, the last of them changing fastest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import comb, factorial
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Source:
    """A text that pieces are from: the template, or a line of a list.

    Args:
        file: the list's; "" = the template.
        line: its number in the list, from 1.
    """

    text: str
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """What messages about it begin with."""
        return f"{self.file}, line {self.line}: " if self.file else ""


@dataclass(frozen=True, slots=True)
class Literal:
    """source.text[start:stop], or in its place a text that is not written there."""

    source: Source
    start: int
    stop: int
    instead: str = ""

    @property
    def text(self) -> str:
        return self.instead or self.source.text[self.start : self.stop]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A choice of `least` to `most` of its options; see `choice_of`.

    Args:
        ends: of each option the sum of its number of texts and those before it.
        weight_ends: the same of weights, which are relative whole numbers.
        counts: the number of texts of each number of options, from `least` on.
        count: of all.
        longest: characters and choices of the longest text.
    """

    options: tuple[Body, ...]
    weights: Sequence[int]
    least: int
    most: int
    joiner: Body
    ends: Sequence[int]
    weight_ends: Sequence[int]
    counts: tuple[int, ...]
    count: int
    longest: int

    def n_texts(self, option: int) -> int:
        """How many texts one of its options can give."""
        return self.ends[option] - (self.ends[option - 1] if option else 0)

    def taken(self, number: int) -> list[tuple[int, int]]:
        """List the options of the text with this number, from 0, and the number of each's text."""
        n_taken = self.least
        for count in self.counts:
            if number < count:
                break
            number, n_taken = number - count, n_taken + 1
        if n_taken == 1:
            option = bisect_right(self.ends, number)
            return [(option, number - (self.ends[option - 1] if option else 0))]
        return self._taken(number, n_taken)

    def _taken(self, number: int, n_taken: int) -> list[tuple[int, int]]:
        counts = [self.n_texts(i) for i in range(len(self.options))]
        left = list(range(len(counts)))
        sums = _sums_of_products(Counter(counts), n_taken)
        order: list[int] = []
        n_before = 1  # texts of the options taken so far
        for n_after in reversed(range(n_taken)):
            ways = {
                count: n_before * count * factorial(n_after) * _without(sums, count)[n_after]
                for count in {counts[i] for i in left}
            }
            for place, option in enumerate(left):  # noqa: B007
                if number < ways[counts[option]]:
                    break
                number -= ways[counts[option]]
            order.append(left.pop(place))
            n_before *= counts[order[-1]]
            sums = _without(sums, counts[order[-1]])
        return [*zip(order, _digits(number, [counts[i] for i in order]), strict=True)]


Body: TypeAlias = tuple[Literal | Choice, ...]


def choice_of(
    options: Sequence[Body],
    weights: Sequence[int],
    joiner: Body = (),
    least: int = 1,
    most: int = 1,
) -> Choice:
    """Make a choice, and count what it can give.

    Args:
        options: at least one; none has weight 0.
        joiner: literals, written between two options.
        least, most: at most as many as there are options.
    """
    texts = [n_texts(option) for option in options]
    sizes = [longest(option) for option in options]
    if least == most == 1:
        counts: tuple[int, ...] = (sum(texts),)
        size = 1 + max(sizes)
    else:
        sums = _sums_of_products(Counter(texts), most)
        counts = tuple(factorial(n) * sums[n] for n in range(least, most + 1))
        size = 1 + sum(sorted(sizes)[-most:] if most else ()) + max(0, most - 1) * longest(joiner)
    ends = _ends(texts), _ends(weights)
    return Choice(tuple(options), weights, least, most, joiner, *ends, counts, sum(counts), size)


def n_texts(body: Body) -> int:
    """Count the texts of a body: the product of its choices' counts."""
    counts = [each.count for each in body if isinstance(each, Choice)]
    if len(counts) < 2:
        return counts[0] if counts else 1
    return _product([count**n for count, n in Counter(counts).items()])


def longest(body: Body) -> int:
    """Count the characters and choices of a body's longest text."""
    n = 0
    for each in body:
        n += each.longest if isinstance(each, Choice) else each.stop - each.start or 1
    return n


def numbered(body: Body, number: int) -> Iterator[tuple[Literal | Choice, int]]:
    """Yield the parts of a body with the number that each has in the text with this number."""
    choices = [each for each in body if isinstance(each, Choice)]
    digits = iter(_digits(number, [each.count for each in choices]))
    for each in body:
        yield each, next(digits) if isinstance(each, Choice) else 0


def _digits(number: int, bases: Sequence[int]) -> list[int]:
    """Write a number with these bases, the last the least significant."""
    digits = [0] * len(bases)
    for i in reversed(range(len(bases))):
        if not number:  # numbers are small, texts may be long
            break
        number, digits[i] = divmod(number, bases[i])
    return digits


def _ends(numbers: Sequence[int]) -> Sequence[int]:
    """Sum up numbers; of equal ones in little memory."""
    if len(set(numbers)) == 1:
        step = numbers[0]
        return range(step, step * len(numbers) + 1, step)
    return tuple(accumulate(numbers))


def _sums_of_products(counts: Mapping[int, int], most: int) -> list[int]:
    """Sum the products of every n of some numbers, for n from 0 to `most`.

    Args:
        counts: how often each number is there.
    """
    sums = [1] + [0] * most
    for number, n in counts.items():
        factor = [comb(n, i) * number**i for i in range(min(n, most) + 1)]
        sums = [
            sum(factor[i] * sums[size - i] for i in range(min(size, len(factor) - 1) + 1))
            for size in range(most + 1)
        ]
    return sums


def _without(sums: Sequence[int], number: int) -> list[int]:
    """Take one number out of such sums."""
    left = [1]
    for each in sums[1:]:
        left.append(each - number * left[-1])
    return left


def _product(numbers: Iterable[int]) -> int:
    """Multiply in pairs: one after the other takes quadratic time for long results."""
    level = [*numbers] or [1]
    while len(level) > 1:
        pairs = [level[i] * level[i + 1] for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) - len(level) % 2 :]
    return level[0]
