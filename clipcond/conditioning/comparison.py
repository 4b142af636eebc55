"""Compare two reports: which tokens, weights and chunks differ, and how far the embeds do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from clipcond.conditioning.comparison_table import comparison_lines
from clipcond.conditioning.pages.comparison_page import write_comparison
from clipcond.conditioning.pages.wording import Wording
from clipcond.conditioning.report_table import drawn
from clipcond.conditioning.token_alignment import align

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from torch import Tensor

    from clipcond.conditioning.report import Report

SAME_WEIGHT = 1e-6  # relative: weights are float32 where they act


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """A token of text in one of the reports: indices into its chunks and into the chunk's lists."""

    chunk: int
    place: int
    weight: float


@dataclass(frozen=True, slots=True)
class TokenPair:
    """A token in both reports, or in one of them: the other place is None.

    `id` is that of the first report's tower, if the token is there.
    """

    token: str
    id: int
    first: TokenPlace | None
    second: TokenPlace | None

    @property
    def change(self) -> str:
        """What differs: "removed", "added", "weight", "chunk", "weight and chunk"; "" = nothing."""
        if self.first is None or self.second is None:
            return "added" if self.first is None else "removed"
        weights = self.first.weight, self.second.weight
        is_same = math.isclose(*weights, rel_tol=SAME_WEIGHT) or all(map(math.isnan, weights))
        found = [] if is_same else ["weight"]
        found += ["chunk"] if self.first.chunk != self.second.chunk else []
        return " and ".join(found)


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two tensors differ.

    Args:
        max: the largest |difference| of two values.
        relative: the Euclidean length of the difference, divided by that of the first.
    """

    max: float
    relative: float

    @classmethod
    def between(cls, first: Tensor, second: Tensor) -> Distance | None:
        """Measure it in float64; None if their shapes differ."""
        if first.shape != second.shape:
            return None
        first, second = first.double(), second.double()
        difference, length = first - second, float(first.norm())
        moved = float(difference.norm())
        relative = moved / length if length else (math.inf if moved else 0.0)
        return cls(float(difference.abs().max()), relative)


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two reports of one tower.

    Args:
        first, second: the reports.
        pairs: all tokens of text, in order.
        is_aligned: False = too many tokens differ to be aligned: they all count as different.
        chunks: how far the rows of each chunk differ, where both are measured and have such rows;
            () = they are not measured, or their towers are not equally wide.
        pooled: how far the pooled vectors differ; None as for the chunks.
    """

    first: Report
    second: Report
    pairs: tuple[TokenPair, ...]
    is_aligned: bool
    chunks: tuple[Distance | None, ...] = ()
    pooled: Distance | None = None

    @property
    def hint(self) -> str:
        """Say that more than tokens may differ, where it is not known; else ""."""
        if self.chunks or self.first.dialect == self.second.dialect:
            return ""
        return (
            "Dialects apply weights in different ways: movement=True shows how far embeds differ."
        )

    @property
    def changes(self) -> tuple[TokenPair, ...]:
        """The tokens that differ."""
        return tuple(pair for pair in self.pairs if pair.change)

    def json(self) -> dict[str, Any]:
        """Give a dict for `json.dumps`: see `Comparison.json`."""
        found: dict[str, Any] = {
            "same": len(self.pairs) - len(self.changes),
            "tokens": [{"change": pair.change, **asdict(pair)} for pair in self.changes],
            "aligned": self.is_aligned,
        }
        if self.chunks:
            found["chunks"] = [each and asdict(each) for each in self.chunks]
            found["pooled"] = self.pooled and asdict(self.pooled)
        return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two reports side by side; `str()` gives the table.

    Args:
        first, second: the reports.
        towers: what differs, for each tower that both have.
        negatives: the same of the negative prompts, if both have one.
    """

    first: Report
    second: Report
    towers: tuple[Difference, ...]
    negatives: tuple[Difference, ...] = ()

    def json(self, *, compact: bool = False) -> dict[str, Any]:
        """Give a dict for `json.dumps`.

        Args:
            compact: without the padding of chunks.
        Returns:
            what the first report's `json` gives, with two more keys. against: that of the second.
            differences: {towers, negatives}, lists with one of {same, tokens, aligned} for each
            tower: how many tokens are the same; those that are not, as {change, token, id, first,
            second}, these two None or {chunk, place, weight}, indices from 0 into the lists of each
            report; whether they could be aligned. Where movement was asked for in both, also
            chunks, a list of {max, relative} or None, and pooled, one of them.
        """
        return {
            **self.first.json(compact=compact),
            "against": self.second.json(compact=compact),
            "differences": {
                "towers": [each.json() for each in self.towers],
                "negatives": [each.json() for each in self.negatives],
            },
        }

    def table(
        self,
        width: int | None = None,
        *,
        words: Mapping[str, str] | None = None,
        reword: Callable[[str], str] | None = None,
    ) -> str:
        """Draw what differs as plain text for a terminal; of very many tokens the first.

        Args:
            width, words, reword: as for a Report.
        """
        return drawn(comparison_lines(self, Wording(words or {}, reword)), width)

    def html(
        self,
        *,
        words: Mapping[str, str] | None = None,
        reword: Callable[[str], str] | None = None,
    ) -> str:
        """Write a page for any browser: what differs, and both reports; arguments as a Report's."""
        wording = Wording(words or {}, reword)
        return wording.page(wording.plain("Two prompts compared"), write_comparison(self, wording))

    def html_fragment(
        self,
        *,
        words: Mapping[str, str] | None = None,
        reword: Callable[[str], str] | None = None,
    ) -> str:
        """Write one `div` to put into another page; arguments as a Report's."""
        wording = Wording(words or {}, reword)
        return wording.fragment(write_comparison(self, wording))

    def __str__(self) -> str:
        return self.table()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from comparison_lines(self)


def compare(first: Report, second: Report) -> Comparison:
    """Compare two reports."""
    negatives = first.negative, second.negative
    both = () if None in negatives else tuple(_differences(*negatives))  # type: ignore[arg-type]
    return Comparison(first, second, tuple(_differences(first, second)), both)


def _differences(first: Report, second: Report) -> Iterator[Difference]:
    """Yield what differs, for each tower that both have."""
    one: Report | None = first
    other: Report | None = second
    while one is not None and other is not None:
        yield _difference(one, other)
        one, other = one.second, other.second


def _difference(first: Report, second: Report) -> Difference:
    is_same_tower = first.tower == second.tower
    tokens = [[*_tokens(each)] for each in (first, second)]
    keys = [[each[:2] if is_same_tower else each[:1] for each in row] for row in tokens]
    aligned, is_aligned = align(*keys)
    pairs = []
    for i, j in aligned:
        one, other = None if i is None else tokens[0][i], None if j is None else tokens[1][j]
        text, token_id, _ = one or other  # type: ignore[misc]  # an index is None in one at most
        pairs.append(TokenPair(text, token_id, one and one[2], other and other[2]))
    distances = tuple(_distances(first, second))
    pooled = None
    if distances and first.measured and second.measured:
        vectors = first.measured.pooled, second.measured.pooled
        pooled = None if None in vectors else Distance.between(*vectors)  # type: ignore[arg-type]
    return Difference(first, second, tuple(pairs), is_aligned, distances, pooled)


def _tokens(report: Report) -> Iterator[tuple[str, int, TokenPlace]]:
    """Yield the tokens of text of a report: as text, the id, the place."""
    for number, each in enumerate(report.encoded):
        for i in each.chunk.places:
            place = TokenPlace(number, i, each.chunk.weights[i])
            yield each.tokens[i], each.chunk.input_ids[i], place


def _distances(first: Report, second: Report) -> Iterator[Distance | None]:
    """Yield how far the rows of each chunk differ; of chunks that only one has, None."""
    if first.measured is None or second.measured is None:
        return
    both = first.measured, second.measured
    embeds = [each.embeds for each in both]
    lengths = {each.chunk_length for each in both}
    if len(lengths) > 1 or embeds[0].shape[-1] != embeds[1].shape[-1]:
        return
    (length,) = lengths
    for one, other in zip_longest(*(each.view(-1, length, each.shape[-1]) for each in embeds)):
        yield None if one is None or other is None else Distance.between(one, other)
