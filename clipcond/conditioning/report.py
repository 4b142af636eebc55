"""Show how a prompt is read: as a dict, a table for the terminal, an HTML page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from clipcond.chunking import TokenChunk
from clipcond.conditioning.comparison import Comparison, compare
from clipcond.conditioning.pages.report_page import write_report
from clipcond.conditioning.pages.wording import Wording
from clipcond.conditioning.report_table import drawn, report_lines
from clipcond.prompt import ParsedPrompt, Part, Segment
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.protocol import HiddenLayer

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from clipcond.conditioning.movement import MeasuredRows


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """One chunk at full length L, specials and padding included.

    Args:
        tokens: each id as readable text.
        norms: the Euclidean length of each token's row, weights applied; () = not measured.
        movements: how far the weights move each row, relative to its length at weight 1.
        handed_on: whether each token's row is in the embeds; () = all are.
    """

    tokens: tuple[str, ...]
    chunk: TokenChunk
    special: SpecialTokens
    norms: tuple[float, ...] = ()
    movements: tuple[float, ...] = ()
    handed_on: tuple[bool, ...] = ()

    @property
    def share(self) -> str:
        """How full it is, such as 43/75."""
        return f"{self.chunk.content}/{self.special.room}"

    @property
    def kept(self) -> list[int]:
        """The positions of all that is no padding, special tokens included."""
        chunk, stop = self.chunk, self.chunk.places.stop
        every = range(len(chunk.input_ids))
        last = stop if chunk.input_ids[stop] == self.special.eos else every[-1]
        return [*every[:stop], last]

    def json(self, *, compact: bool = False) -> dict[str, Any]:
        """Give tokens, ids, weights and what was measured; `compact` leaves out the padding."""
        kept = self.kept if compact else range(len(self.tokens))
        columns: dict[str, Sequence[Any]] = {
            "tokens": self.tokens,
            "ids": self.chunk.input_ids,
            "weights": self.chunk.weights,
        }
        if self.norms:
            columns |= {"norms": self.norms, "movements": self.movements}
        if self.handed_on:
            columns["handed_on"] = self.handed_on
        return {name: [column[i] for i in kept] for name, column in columns.items()}


@dataclass(frozen=True, slots=True)
class PartReport:
    """One condition at some steps; `is_encoded`: whether it is what the conditioner encodes."""

    text: str
    weight: float
    chunks: tuple[ChunkReport, ...]
    is_encoded: bool


@dataclass(frozen=True, slots=True)
class Report:
    """How one prompt is read, cut and weighted; `str()` gives the table.

    Args:
        parsed: what is encoded, with all issues; positions are those in the prompt.
        chunks: exactly those that the first tower encodes.
        dialect, tower, layer, n_layers: what reads and encodes them.
        steps: of a prompt with editing or AND, what a pipeline draws with up to each of 20 steps,
            which count from 0; its texts are brought to one length, as the pipeline does.
        second: the report of a pair's second tower.
        negative: the report of the negative prompt.
        is_zero: whether zeros are passed in place of what is encoded: a pair's empty negative.
        clip_skip: what chose the layer; None = something else did.
        pooled: the chunk that gives the pooled vector, without weights; None = none is wanted.
        measured: the rows that were encoded, where movement was asked for.
    """

    parsed: ParsedPrompt
    chunks: tuple[ChunkReport, ...]
    dialect: str
    tower: str
    layer: HiddenLayer
    n_layers: int
    steps: tuple[tuple[int, tuple[PartReport, ...]], ...] = ()
    second: Report | None = None
    negative: Report | None = None
    is_zero: bool = False
    clip_skip: int | None = None
    pooled: TokenChunk | None = None
    measured: MeasuredRows | None = field(default=None, compare=False, repr=False)

    @property
    def drawn_steps(self) -> Iterator[tuple[int, int, tuple[PartReport, ...]]]:
        """Yield the first and last step that draws each text, counted from 1, and its parts.

        A text holds at the step that ends it, too; the last texts of an alternation may come late.
        """
        first = 1
        for until, parts in self.steps:
            last = min(until + 1, self.steps[-1][0])
            if first <= last:
                yield first, last, parts
            first = last + 1

    def json(self, *, compact: bool = False) -> dict[str, Any]:
        """Give a dict for `json.dumps`.

        Args:
            compact: without the padding of chunks.
        Returns:
            prompt, dialect, tower; layer: {depth, of, final_norm}; segments: a list of {text,
            weight, start, stop} and {break: True}; chunks: a list of {tokens, ids, weights}, each
            of these a list of length L, special tokens included; issues: a list of {message,
            position, remedy, code, words, prompt}, as an `Issue` has them. Where movement was asked
            for, each chunk has norms and movements of length L too; in a dialect that leaves rows
            out, handed_on, whether each token's row is in the embeds. Where there are such, also
            steps: a list of {until, parts}, tower_2 and negative; `until` is the last step that
            draws the parts, counted from 0. Where zeros are passed, chunks is empty and zeros is
            True.
        """

        def rows(chunks: Sequence[ChunkReport]) -> list[dict[str, Any]]:
            return [each.json(compact=compact) for each in chunks]

        layer = self.layer
        found: dict[str, Any] = {
            "prompt": self.parsed.source,
            "dialect": self.dialect,
            "tower": self.tower,
            "layer": {"depth": layer.depth, "of": self.n_layers, "final_norm": layer.final_norm},
            "segments": [_segment(part) for part in self.parsed.parts],
            "chunks": rows(self.encoded),
            "issues": [{**asdict(i), "words": [*i.words]} for i in self.parsed.issues],
        }
        if self.is_zero:
            found["zeros"] = True
        if self.steps:
            found["steps"] = [
                {
                    "until": until,
                    "parts": [
                        {
                            "text": part.text,
                            "weight": part.weight,
                            "chunks": rows(part.chunks),
                            "encoded": part.is_encoded,
                        }
                        for part in parts
                    ],
                }
                for until, parts in self.steps
            ]
        if self.second is not None:
            found["tower_2"] = self.second.json(compact=compact)
        if self.negative is not None:
            found["negative"] = self.negative.json(compact=compact)
        return found

    def table(
        self,
        width: int | None = None,
        *,
        words: Mapping[str, str] | None = None,
        reword: Callable[[str], str] | None = None,
    ) -> str:
        """Draw the tokens of each chunk with their weights, as plain text for a terminal.

        A very long prompt is cut to its first chunks; `json()` has them all.

        Args:
            width: in columns; None = the terminal's.
            words: what stands for its English words, sentences with {} for what they are about.
            reword: changes the text of an issue, whose remedy is in the lines behind its first.
        """
        return drawn(report_lines(self, Wording(words or {}, reword)), width)

    def html(
        self,
        *,
        words: Mapping[str, str] | None = None,
        reword: Callable[[str], str] | None = None,
    ) -> str:
        """Write a page for any browser, which needs nothing else: no script, no other file.

        Of a very long prompt it shows the first tokens, and says how many are missing.

        Args:
            words: what stands for the page's English words, and at "en" its language.
            reword: as for `table`.
        """
        wording = Wording(words or {}, reword)
        return wording.page(wording.plain("How a prompt is read"), write_report(self, wording))

    def html_fragment(
        self,
        *,
        words: Mapping[str, str] | None = None,
        reword: Callable[[str], str] | None = None,
    ) -> str:
        """Write one `div` to put into another page: its headings begin at `h2`.

        Its style counts inside of it only. Arguments are those of `html`.
        """
        wording = Wording(words or {}, reword)
        return wording.fragment(write_report(self, wording))

    def against(self, other: Report) -> Comparison:
        """Compare this report with another: of another prompt, or of another dialect.

        Which tokens, weights and chunks differ; and how far the embeds do, if movement was asked
        for in both.
        """
        return compare(self, other)

    @property
    def n_rows(self) -> tuple[int, int]:
        """How many rows of the chunks are handed on, and how many there are."""
        every = [len(each.tokens) for each in self.encoded]
        own = [sum(each.handed_on or (True,) * len(each.tokens)) for each in self.encoded]
        return sum(own), sum(every)

    @property
    def encoded(self) -> tuple[ChunkReport, ...]:
        """The chunks, but where zeros are passed: none."""
        return () if self.is_zero else self.chunks

    def __str__(self) -> str:
        return self.table()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from report_lines(self)


def _segment(part: Part) -> dict[str, Any]:
    if not isinstance(part, Segment):
        return {"break": True}
    return {"text": part.text, "weight": part.weight, "start": part.start, "stop": part.stop}


def finite(value: object) -> object:
    """Replace NaN and infinite weights by None, because JSON has no numbers for them."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
