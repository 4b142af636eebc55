"""Show how a prompt is read: as a dict, a table for the terminal, an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from clipcond.chunking import TokenChunk
from clipcond.prompt import ParsedPrompt, Part, Segment
from clipcond.towers.base import HiddenLayer, TextTower

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

__all__ = ["ChunkReport", "Report", "build_report"]

MAX_SHOWN = 50  # chunks and issues in a table: rich takes minutes to lay out thousands


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """One chunk at full length, specials and padding included.

    `tokens`: each id as readable text; `room`: how many tokens of text fit.
    """

    tokens: tuple[str, ...]
    chunk: TokenChunk
    room: int

    @property
    def count(self) -> str:
        """How full it is, in words."""
        return f"{self.chunk.content} of {self.room} tokens"


@dataclass(frozen=True, slots=True)
class Report:
    """How one prompt is read, cut and weighted; `str()` gives the table."""

    parsed: ParsedPrompt
    chunks: tuple[ChunkReport, ...]
    dialect: str
    tower: str
    layer: HiddenLayer
    n_layers: int

    def json(self) -> dict[str, Any]:
        """Give a dict for `json.dumps`: prompt, dialect, tower, layer, segments, chunks, issues."""
        return {
            "prompt": self.parsed.source,
            "dialect": self.dialect,
            "tower": self.tower,
            "layer": {
                "depth": self.layer.depth,
                "of": self.n_layers,
                "final_norm": self.layer.final_norm,
            },
            "segments": [_segment(part) for part in self.parsed.parts],
            "chunks": [
                {
                    "tokens": list(each.tokens),
                    "ids": list(each.chunk.input_ids),
                    "weights": list(each.chunk.weights),
                }
                for each in self.chunks
            ],
            "issues": [{"message": i.message, "position": i.position} for i in self.parsed.issues],
        }

    def table(self, width: int | None = None) -> str:
        """Draw the tokens of each chunk with their weights, as plain text for a terminal.

        A very long prompt is cut to its first chunks; `json()` has them all.
        """
        from rich.console import Console

        console = Console(width=width, no_color=True, highlight=False, force_terminal=False)
        with console.capture() as capture:
            for renderable in self._renderables():
                console.print(renderable)
        return capture.get()

    def html(self) -> str:
        """Write a page for any browser: weights as colours, a paragraph for each chunk."""
        chunks = "\n".join(_chunk_html(i, chunk) for i, chunk in enumerate(self.chunks, 1))
        issues = "".join(
            f"<li>{escape(issue.message)} (at {issue.position})</li>"
            for issue in self.parsed.issues
        )
        return _PAGE.format(
            prompt=escape(self.parsed.source),
            facts=escape(self._facts()),
            chunks=chunks,
            issues=f"<ul class=issues>{issues}</ul>" if issues else "",
        )

    def __str__(self) -> str:
        return self.table()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._renderables()

    def _facts(self) -> str:
        norm = "normed" if self.layer.final_norm else "not normed"
        return (
            f"dialect {self.dialect}, tower {self.tower}, layer {self.layer.depth} from the end "
            f"of {self.n_layers}, {norm}"
        )

    def _renderables(self) -> list[RenderableType]:
        from rich.table import Table
        from rich.text import Text

        shown: list[RenderableType] = [Text(self._facts())]
        for number, each in enumerate(self.chunks[:MAX_SHOWN], 1):
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
        shown += _and_more(len(self.chunks), "chunks")
        issues = self.parsed.issues
        shown += [Text(f"issue at {i.position}: {i.message}") for i in issues[:MAX_SHOWN]]
        return [*shown, *_and_more(len(issues), "issues")]


def build_report(
    parsed: ParsedPrompt,
    chunks: Sequence[TokenChunk],
    tower: TextTower,
    layer: HiddenLayer,
    dialect: str,
) -> Report:
    """Gather what a Report shows."""
    pieces, room = tower.tokenizer.pieces, tower.special.room
    rows = tuple(ChunkReport(tuple(pieces(each.input_ids)), each, room) for each in chunks)
    return Report(parsed, rows, dialect, tower.name, layer, tower.depth)


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
    """Orange above 1, blue below 1, the stronger the farther from 1."""
    strength = min(abs(weight - 1.0), 1.0) if weight == weight else 1.0
    return f"rgba({'255,140,0' if weight > 1 else '30,120,255'},{strength:.2f})"


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>prompt</title>
<style>
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; }}
h2 {{ font-size: 1rem; }} pre {{ white-space: pre-wrap; }}
span {{ border: 1px solid #8884; border-radius: 4px; padding: 0 .3em; margin: .1em; }}
</style>
<pre>{prompt}</pre>
<p>{facts}</p>
{issues}
{chunks}
</html>
"""
