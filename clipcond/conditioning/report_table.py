"""Draw a report as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

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


def facts(report: Report) -> str:
    """Say in one line what reads and encodes a prompt."""
    norm = "normed" if report.layer.final_norm else "not normed"
    return (
        f"dialect {report.dialect}, tower {report.tower}, layer {report.layer.depth} from the end "
        f"of {report.n_layers}, {norm}{ZEROS if report.is_zero else ''}"
    )


def report_lines(
    report: Report, reword: Callable[[str], str] | None = None
) -> list[RenderableType]:
    """List the lines and tables of a report; arguments are those of its `table`."""
    from rich.text import Text

    shown: list[RenderableType] = [Text(facts(report)), *_step_lines(report)]
    for number, each in enumerate(report.encoded[:MAX_SHOWN], 1):
        shown.append(_chunk_table(f"chunk {number}: {each.count}", each))
    shown += and_more(len(report.encoded), "chunks")
    shown += issue_lines(report, reword)
    for name, other in (("second tower", report.second), ("negative", report.negative)):
        shown += [] if other is None else [Text(f"\n{name}:"), *report_lines(other, reword)]
    return shown


def _step_lines(report: Report) -> Iterator[RenderableType]:
    """Yield what a pipeline draws at each step, a line for each condition."""
    from rich.text import Text

    if report.steps:
        yield Text("each step of a pipeline:")
    for first, last, parts in report.drawn_steps:
        span = f"step {first}" if first == last else f"steps {first} to {last}"
        for part in parts[:MAX_SHOWN]:
            weight = f", weight {part.weight:.4g}" if len(parts) > 1 else ""
            below = "; shown below" if part.is_encoded else ""
            yield Text(f"  {span} of {report.steps[-1][0]}: {part.text.strip()!r}{weight}{below}")
        yield from and_more(len(parts), "conditions")


def issue_lines(
    report: Report, reword: Callable[[str], str] | None = None
) -> Iterator[RenderableType]:
    """Yield what is wrong with a prompt and what to do, the remedy in lines of its own."""
    from rich.text import Text

    issues = report.parsed.issues
    for issue in issues[:MAX_SHOWN]:
        said = f"issue at {issue.position}: {_message(issue)}\n{issue.remedy}".rstrip()
        first, *remedy = (said if reword is None else reword(said)).splitlines()
        yield from (Text(first), *(Text(f"  {line}") for line in remedy))
    yield from and_more(len(issues), "issues")


def _chunk_table(title: str, each: ChunkReport) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title)
    for name in ("#", "token", "id", "weight", *(("norm", "moved") if each.norms else ())):
        table.add_column(name, justify="left" if name == "token" else "right")
    for i in each.chunk.places:
        weight, token_id = each.chunk.weights[i], each.chunk.input_ids[i]
        style = "bold" if weight > 1 else "dim" if weight < 1 else ""
        cells = [str(i), each.tokens[i], str(token_id), f"{weight:.4g}"]
        if each.norms:
            cells += [f"{each.norms[i]:.4g}", f"{each.movements[i]:.3g}"]
        table.add_row(*(Text(cell) for cell in cells), style=style)
    return table


def and_more(n: int, what: str) -> list[RenderableType]:
    """Say how many are beyond those that are shown."""
    from rich.text import Text

    return [Text(f"... and {n - MAX_SHOWN} more {what}")] if n > MAX_SHOWN else []


def _message(issue: Issue) -> str:
    """Word an issue for a report, which shows one encoding of what pipelines draw whole."""
    return f"{issue.message}; a pipeline draws all of it" if issue.code in DRAWN else issue.message
