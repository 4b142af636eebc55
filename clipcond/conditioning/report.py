"""Show how a prompt is read: as a dict, a table for the terminal, an HTML page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from clipcond.chunking import TokenChunk
from clipcond.conditioning.settled import DRAWN
from clipcond.prompt import Issue, ParsedPrompt, Part, Segment
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.protocol import HiddenLayer

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

ZEROS = "; zeros are passed, nothing is encoded"
MAX_SHOWN = 50  # chunks and issues in a table: rich takes minutes to lay out thousands


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """One chunk at full length, specials and padding included.

    `tokens`: each id as readable text.
    """

    tokens: tuple[str, ...]
    chunk: TokenChunk
    special: SpecialTokens

    @property
    def count(self) -> str:
        """How full it is, in words."""
        return f"{self.chunk.content} of {self.special.room} tokens"

    def json(self, *, compact: bool = False) -> dict[str, Any]:
        """Give tokens, ids and weights; `compact` leaves out the padding."""
        chunk, stop = self.chunk, self.chunk.places.stop
        kept = list(range(len(chunk.input_ids)))
        if compact:
            last = stop if chunk.input_ids[stop] == self.special.eos else kept[-1]
            kept = [*kept[:stop], last]
        return {
            "tokens": [self.tokens[i] for i in kept],
            "ids": [chunk.input_ids[i] for i in kept],
            "weights": [chunk.weights[i] for i in kept],
        }


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
        steps: of a prompt with editing or AND, what a pipeline draws with up to each of 20 steps.
        second: the report of a pair's second tower.
        negative: the report of the negative prompt.
        is_zero: whether zeros are passed in place of what is encoded: a pair's empty negative.
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

    def json(self, *, compact: bool = False) -> dict[str, Any]:
        """Give a dict for `json.dumps`.

        Args:
            compact: without the padding of chunks.
        Returns:
            prompt, dialect, tower; layer: {depth, of, final_norm}; segments: a list of {text,
            weight, start, stop} and {break: True}; chunks: a list of {tokens, ids, weights}, each
            of these a list of length L, special tokens included; issues: a list of {message,
            position, remedy, code, words, prompt}, as an `Issue` has them. Where there are such,
            also steps: a list of {until, parts}, tower_2 and negative. Where zeros are passed,
            chunks is empty and zeros is True.
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
            "chunks": rows(self._encoded),
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

    def table(self, width: int | None = None, *, reword: Callable[[str], str] | None = None) -> str:
        """Draw the tokens of each chunk with their weights, as plain text for a terminal.

        A very long prompt is cut to its first chunks; `json()` has them all.

        Args:
            width: in columns; None = the terminal's.
            reword: changes the text of an issue, whose remedy is in the lines behind its first.
        """
        from rich.console import Console

        console = Console(width=width, no_color=True, highlight=False, force_terminal=False)
        with console.capture() as capture:
            for renderable in self._renderables(reword):
                console.print(renderable)
        return capture.get()

    def html(self) -> str:
        """Write a page for any browser: weights as colours, a paragraph for each chunk."""
        return _PAGE.format(parts="\n".join(each._html() for each in self._all()))

    def _html(self) -> str:
        chunks = "\n".join(_chunk_html(i, chunk) for i, chunk in enumerate(self._encoded, 1))
        issues = "".join(
            f"<li>{escape(_message(issue))} (at {issue.position})</li>"
            for issue in self.parsed.issues
        )
        return _PART.format(
            prompt=escape(self.parsed.source),
            facts=escape(self._facts()),
            chunks=chunks,
            issues=f"<ul class=issues>{issues}</ul>" if issues else "",
        )

    @property
    def _encoded(self) -> tuple[ChunkReport, ...]:
        return () if self.is_zero else self.chunks

    def _all(self) -> Iterator[Report]:
        """Yield this report, that of the second tower, and those of the negative."""
        yield self
        if self.second is not None:
            yield self.second
        if self.negative is not None:
            yield from self.negative._all()

    def __str__(self) -> str:
        return self.table()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._renderables()

    def _facts(self) -> str:
        norm = "normed" if self.layer.final_norm else "not normed"
        return (
            f"dialect {self.dialect}, tower {self.tower}, layer {self.layer.depth} from the end "
            f"of {self.n_layers}, {norm}{ZEROS if self.is_zero else ''}"
        )

    def _renderables(self, reword: Callable[[str], str] | None = None) -> list[RenderableType]:
        from rich.table import Table
        from rich.text import Text

        shown: list[RenderableType] = [Text(self._facts())]
        for number, each in enumerate(self._encoded[:MAX_SHOWN], 1):
            table = Table(title=f"chunk {number}: {each.count}")
            table.add_column("#", justify="right")
            table.add_column("token")
            table.add_column("id", justify="right")
            table.add_column("weight", justify="right")
            for i in each.chunk.places:
                weight, token_id = each.chunk.weights[i], each.chunk.input_ids[i]
                style = "bold" if weight > 1 else "dim" if weight < 1 else ""
                cells = (str(i), each.tokens[i], str(token_id), f"{weight:.4g}")
                table.add_row(*(Text(cell) for cell in cells), style=style)
            shown.append(table)
        shown += _and_more(len(self._encoded), "chunks")
        issues = self.parsed.issues
        for issue in issues[:MAX_SHOWN]:
            said = f"issue at {issue.position}: {_message(issue)}\n{issue.remedy}".rstrip()
            first, *remedy = (said if reword is None else reword(said)).splitlines()
            shown += [Text(first), *(Text(f"  {line}") for line in remedy)]
        shown += _and_more(len(issues), "issues")
        for name, other in (("second tower", self.second), ("negative", self.negative)):
            shown += [] if other is None else [Text(f"\n{name}:"), *other._renderables(reword)]
        return shown


def _message(issue: Issue) -> str:
    """Word an issue for a report, which shows one encoding of what pipelines draw whole."""
    return f"{issue.message}; a pipeline draws all of it" if issue.code in DRAWN else issue.message


def _and_more(n: int, what: str) -> list[RenderableType]:
    from rich.text import Text

    return [Text(f"... and {n - MAX_SHOWN} more {what}")] if n > MAX_SHOWN else []


def _segment(part: Part) -> dict[str, Any]:
    if not isinstance(part, Segment):
        return {"break": True}
    return {"text": part.text, "weight": part.weight, "start": part.start, "stop": part.stop}


def _chunk_html(number: int, report: ChunkReport) -> str:
    chunk = report.chunk
    tokens = "".join(
        f'<span style="background:{_colour(chunk.weights[i])}" '
        f'title="id {chunk.input_ids[i]}, weight {chunk.weights[i]:.4g}">'
        f"{escape(report.tokens[i])}</span>"
        for i in chunk.places
    )
    return f"<h2>chunk {number}: {report.count}</h2><p>{tokens or '(empty)'}</p>"


def _colour(weight: float) -> str:
    """Choose a colour: orange above 1, blue below 1, the stronger the farther from 1."""
    strength = min(abs(weight - 1.0), 1.0) if weight == weight else 1.0
    return f"rgba({'255,140,0' if weight > 1 else '30,120,255'},{strength:.2f})"


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>prompt</title>
<style>
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; }}
h2 {{ font-size: 1rem; }} pre {{ white-space: pre-wrap; }}
span {{ border: 1px solid #8884; border-radius: 4px; padding: 0 .3em; margin: .1em; }}
</style>
{parts}
</html>
"""
_PART = """<pre>{prompt}</pre>
<p>{facts}</p>
{issues}
{chunks}"""
