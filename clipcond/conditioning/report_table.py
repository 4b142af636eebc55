"""Draw a report as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from clipcond.conditioning.pages.wording import Wording
from clipcond.conditioning.settled import DRAWN
from clipcond.prompt import Issue

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from clipcond.conditioning.report import ChunkReport, Report

ZEROS = "; zeros are passed, nothing is encoded"
MAX_SHOWN = 50  # chunks and issues in a table: rich takes minutes to lay out thousands


def drawn(lines: Iterable[RenderableType], width: int | None) -> str:
    """Draw what rich can, as plain text; the width is the terminal's by default."""
    from rich.console import Console

    console = Console(width=width, no_color=True, highlight=False, force_terminal=False)
    with console.capture() as capture:
        for line in lines:
            console.print(line)
    return capture.get()


def facts(report: Report, wording: Wording) -> str:
    """Say in one line what reads and encodes a prompt."""
    said = wording.plain(
        "dialect {}, tower {}, layer {} from the end of {}, normed"
        if report.layer.final_norm
        else "dialect {}, tower {}, layer {} from the end of {}, not normed",
        *(report.dialect, report.tower, report.layer.depth, report.n_layers),
    )
    n_kept, n_rows = report.n_rows
    left_out = wording.plain("; {} of {} rows are handed on", n_kept, n_rows)
    said += left_out if n_kept < n_rows else ""
    return said + (wording.plain(ZEROS) if report.is_zero else "")


def report_lines(report: Report, wording: Wording | None = None) -> list[RenderableType]:
    """List the lines and tables of a report."""
    from rich.text import Text

    wording = Wording() if wording is None else wording
    shown: list[RenderableType] = [Text(facts(report, wording)), *_step_lines(report, wording)]
    for number, each in enumerate(report.encoded[:MAX_SHOWN], 1):
        shown.append(_chunk_table(number, each, wording))
    shown += and_more(len(report.encoded), "... and {} more chunks", wording)
    shown += issue_lines(report, wording)
    for name, other in (("second tower:", report.second), ("negative:", report.negative)):
        if other is not None:
            shown += [Text(f"\n{wording.plain(name)}"), *report_lines(other, wording)]
    return shown


def _step_lines(report: Report, wording: Wording) -> Iterator[RenderableType]:
    """Yield what a pipeline draws at each step, a line for each condition."""
    from rich.text import Text

    if report.steps:
        yield Text(wording.plain("each step of a pipeline:"))
    for first, last, parts in report.drawn_steps:
        n = report.steps[-1][0]
        span = wording.plain("steps {} to {} of {}", first, last, n)
        if first == last:
            span = wording.plain("step {} of {}", first, n)
        for part in parts[:MAX_SHOWN]:
            weight = wording.plain(", weight {}", f"{part.weight:.4g}") if len(parts) > 1 else ""
            below = wording.plain("; shown below") if part.is_encoded else ""
            drawn_there = wording.plain("{}: {}", span, repr(part.text.strip()))
            yield Text(f"  {drawn_there}{weight}{below}")
        yield from and_more(len(parts), "... and {} more conditions", wording)


def issue_lines(report: Report, wording: Wording) -> Iterator[RenderableType]:
    """Yield what is wrong with a prompt and what to do, the remedy in lines of its own."""
    from rich.text import Text

    issues = report.parsed.issues
    for issue in issues[:MAX_SHOWN]:
        said = f"issue at {issue.position}: {_message(issue)}\n{issue.remedy}".rstrip()
        first, *remedy = wording.issue(said)
        yield from (Text(first), *(Text(f"  {line}") for line in remedy))
    yield from and_more(len(issues), "... and {} more issues", wording)


def _chunk_table(number: int, each: ChunkReport, wording: Wording) -> Table:
    from rich.table import Table
    from rich.text import Text

    chunk = each.chunk
    title = wording.plain("chunk {}: {} of {} tokens", number, chunk.content, each.special.room)
    table = Table(title=title)
    for name in ("#", "token", "id", "weight", *(("norm", "moved") if each.norms else ())):
        table.add_column(wording.plain(name), justify="left" if name == "token" else "right")
    for i in chunk.places:
        weight, token_id = chunk.weights[i], chunk.input_ids[i]
        style = "bold" if weight > 1 else "dim" if weight < 1 else ""
        cells = [str(i), each.tokens[i], str(token_id), f"{weight:.4g}"]
        if each.norms:
            cells += [f"{each.norms[i]:.4g}", f"{each.movements[i]:.3g}"]
        table.add_row(*(Text(cell) for cell in cells), style=style)
    return table


def and_more(n: int, template: str, wording: Wording) -> list[RenderableType]:
    """Say how many are beyond those that are shown."""
    from rich.text import Text

    return [Text(wording.plain(template, n - MAX_SHOWN))] if n > MAX_SHOWN else []


def _message(issue: Issue) -> str:
    """Word an issue for a report, which shows one encoding of what pipelines draw whole."""
    return f"{issue.message}; a pipeline draws all of it" if issue.code in DRAWN else issue.message
