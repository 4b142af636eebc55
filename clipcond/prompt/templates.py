"""Expand templates: the language that users of the webui know from Dynamic Prompts.

    {a|b}           one of them                 {2$$a|b|c}      two of them, in any order
    {3::a|b}        a three times as often      {1-3$$, $$a|b|c}   one to three, joined by ", "
    __name__        a line of name.txt          __animals/*__   of any list in animals/

All of it nests. Bars in square brackets are alternation, and braces without a bar or `$$` of their
own are text: emphasis in NovelAI. A backslash makes text of `{`, `}`, `__`, and in braces of `|`
and `$$`.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from math import log10
from typing import NamedTuple

from clipcond.arguments import check_arguments, type_name
from clipcond.errors import ArgumentError, PromptError
from clipcond.prompt.choices import Body, Choice, Literal, Source, n_texts, numbered
from clipcond.prompt.segments import Issue
from clipcond.prompt.template_reading import read_template
from clipcond.prompt.wildcards import Wildcards

Part = tuple[Literal | Choice, int]


class Origin(NamedTuple):
    """Where a character of a variant is written: source[position].

    Args:
        file: of the list that the source is a line of; "" = the source is the template.
        line: its number, from 1.
    """

    source: str
    position: int
    file: str
    line: int


class Variant(str):
    """A text that a template gives; a str that knows where each of its characters is written."""

    _pieces: tuple[Literal, ...]
    _starts: tuple[int, ...]

    @classmethod
    def of(cls, pieces: Iterable[Literal]) -> Variant:
        """Join pieces."""
        pieces = tuple(pieces)
        made = cls("".join(piece.text for piece in pieces))
        starts, at = [], 0
        for piece in pieces:
            starts.append(at)
            at += len(piece.text)
        made._pieces, made._starts = pieces, tuple(starts)
        return made

    def behind(self, text: str) -> Variant:
        """Put a text that no template gives before this one."""
        return Variant.of([Literal(Source(text), 0, len(text)), *self._pieces])

    def origin(self, position: int) -> Origin:
        """Find where a character is written.

        Args:
            position: an index into this text; its length means just after the end.
        """
        index = max(0, bisect_right(self._starts, position) - 1)
        if not self._pieces:
            return Origin("", 0, "", 0)
        piece = self._pieces[index]
        offset = min(position - self._starts[index], piece.stop - piece.start)
        source = piece.source
        return Origin(source.text, piece.start + offset, source.file, source.line)

    def error(self, error: PromptError) -> PromptError:
        """Show the place of an error about this text where it is written, in template or list."""
        origin = self.origin(error.position)
        place = f"{origin.file}, line {origin.line}: " if origin.file else ""
        message = f"{place}{error.message}"
        return type(error)(message, origin.source, origin.position, error.remedy)


class Template:
    """A text with choices, such as `a {red|blue} __animal__`, and what it can give.

    Args:
        text: the template.
        wildcards: a folder of lists, lists by name, or `Wildcards`, which several templates can
            share; None = the template may name none.
    Attributes:
        issues: what looks wrong and is read as text; `prompt` of one in a list is its line.
        count: how many combinations there are, as an exact number; found without making them.
    Raises:
        PromptSyntaxError: the template, or a line of a list, cannot be read; shows where.
        PromptError: there is no list of a name; or a text may have over 4,000,000 characters.
        CheckpointError: the folder or a list cannot be read.
        PromptTypeError, ArgumentError: an argument is of a wrong type.
    """

    def __init__(
        self,
        text: str,
        wildcards: Wildcards | str | os.PathLike[str] | Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        check_arguments(text=text)
        self.text = text
        source = Source(text)
        if wildcards is None:
            self._body, issues = read_template(source, _no_list(source), lambda _: False)
        else:
            lists = wildcards if isinstance(wildcards, Wildcards) else Wildcards(wildcards)
            lists.choices_for(source)
            self._body, issues = read_template(source, lists.find, lists.has)
            issues += lists.issues_of(source)
        self.issues: tuple[Issue, ...] = tuple(issues)
        self._count = 0

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    @property
    def count(self) -> int:
        """How many combinations there are."""
        self._count = self._count or n_texts(self._body)
        return self._count

    def random(self, seed: int | str) -> Variant:
        """Choose at random: the same for a seed on every machine and with every Python.

        Every option is as likely as its weight says, whatever it holds; of several numbers of
        options each is as likely.

        Args:
            seed: any number or text.
        """
        if isinstance(seed, bool) or not isinstance(seed, int | str):
            raise ArgumentError(f"seed is a number or a text, not {type_name(seed)}")
        draws = _Draws(seed)
        return Variant.of(_pieces(self._body, lambda choice, _: _drawn(choice, draws)))

    def combinations(self) -> Iterator[Variant]:
        """Yield the texts of all combinations, one by one: exactly those that `random` can give.

        Those whose last choices differ follow each other. Two can be the same text, as in
        `{red|{red|blue}}`; options of plain text that are written the same count once.
        """
        for number in range(self.count):
            yield self.combination(number)

    def combination(self, number: int) -> Variant:
        """Make the text of one combination.

        Args:
            number: from 0, below `count`.
        Raises:
            ArgumentError: there is none with this number.
        """
        if not 0 <= number < self.count:
            raise ArgumentError(
                f"there is no such combination: it is not below {shown_count(self.count)}"
            )
        return Variant.of(_pieces(self._body, Choice.taken, number))


def shown_count(count: int) -> str:
    """Write a count for a message: Python refuses to write thousands of digits."""
    if count < 10**15:
        return f"{count:,}"
    return f"10 to the power of {int(count.bit_length() * log10(2))}"


class _Draws:
    """Random whole numbers of a seed; from a hash, as Python's own may change with its version."""

    def __init__(self, seed: int | str) -> None:
        self._seed, self._n = str(seed).encode("utf-8", "surrogatepass"), 0

    def below(self, limit: int) -> int:
        self._n += 1
        drawn = sha256(b"%d/%s" % (self._n, self._seed)).digest()
        return int.from_bytes(drawn, "big") % limit


def _drawn(choice: Choice, draws: _Draws) -> list[tuple[int, int]]:
    """Draw options by their weights, none twice."""
    n_taken = choice.least
    if choice.most > choice.least:
        n_taken += draws.below(choice.most - choice.least + 1)
    if n_taken == 1:
        return [(bisect_right(choice.weight_ends, draws.below(choice.weight_ends[-1])), 0)]
    left, taken = [*range(len(choice.options))], []
    total = choice.weight_ends[-1]
    for _ in range(n_taken):
        at, place = draws.below(total), 0
        while at >= choice.weights[left[place]]:
            at -= choice.weights[left[place]]
            place += 1
        taken.append((left.pop(place), 0))
        total -= choice.weights[taken[-1][0]]
    return taken


def _pieces(
    body: Body, take: Callable[[Choice, int], list[tuple[int, int]]], number: int = 0
) -> Iterator[Literal]:
    """Yield the literals of a text.

    Args:
        take: choice, number -> the options taken, and the number of each's text.
    """
    waiting: list[Part] = [*numbered(body, number)][::-1]
    while waiting:
        item, number = waiting.pop()
        if isinstance(item, Literal):
            yield item
            continue
        parts: list[Part] = []
        for i, (option, its_number) in enumerate(take(item, number)):
            if i:
                parts += ((literal, 0) for literal in item.joiner)
            parts += numbered(item.options[option], its_number)
        waiting += reversed(parts)


def _no_list(source: Source) -> Callable[[str, int], Choice]:
    def refuse(name: str, position: int) -> Choice:
        raise PromptError(
            f"{name!r} is a list, and no folder of lists is given",
            source.text,
            position,
            r"Say wildcards='DIR', or write \__ for underscores that are text.",
        )

    return refuse
