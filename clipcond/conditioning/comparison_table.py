"""Draw what differs between two reports as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from clipcond.conditioning.report_table import MAX_SHOWN, and_more, facts, issue_lines
from clipcond.errors import counted, excerpt

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from clipcond.conditioning.comparison import Comparison, Difference, Distance, TokenPlace


def comparison_lines(
    comparison: Comparison, reword: Callable[[str], str] | None = None
) -> Iterator[RenderableType]:
    """Yield the lines and tables of a comparison; arguments are those of its `table`."""
    from rich.text import Text

    for name, report in (("A", comparison.first), ("B", comparison.second)):
        yield Text(f"{name}: {excerpt(report.parsed.source, 200)!r}")
        yield Text(f"   {facts(report)}")
        yield from issue_lines(report, reword)
    for name, differences in (("", comparison.towers), ("negative: ", comparison.negatives)):
        for i, each in enumerate(differences):
            is_known = i > 0 and each.changes == differences[0].changes
            more = "; the same as above" if is_known and each.changes else ""
            yield Text(f"\n{name}tower {each.first.tower}: {summary(each)}{more}")
            if each.hint:
                yield Text(each.hint if reword is None else reword(each.hint))
            if each.changes and not is_known:
                yield _tokens(each)
                yield from and_more(len(each.changes), "tokens")
            if each.chunks:
                yield _distances(each)


def summary(difference: Difference) -> str:
    """Say in one line how much differs."""
    n = len(difference.changes)
    n_same = counted(len(difference.pairs) - n, "token")
    n_chunks = [
        counted(len(each.encoded), "chunk") for each in (difference.first, difference.second)
    ]
    chunks = n_chunks[0] if n_chunks[0] == n_chunks[1] else " against ".join(n_chunks)
    if not n:
        return f"no token differs, {n_same} in {chunks}"
    verb = "is" if n_same == "1 token" else "are"
    said = f"{counted(n, 'difference')}; {n_same} {verb} the same, in {chunks}"
    return said if difference.is_aligned else f"{said}; too many differ to be aligned"


def _tokens(difference: Difference) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in ("change", "token", "A", "B"):
        table.add_column(name)
    for pair in difference.changes[:MAX_SHOWN]:
        cells = (pair.change, pair.token, _place(pair.first), _place(pair.second))
        table.add_row(*map(Text, cells))
    return table


def _place(place: TokenPlace | None) -> str:
    return "" if place is None else f"chunk {place.chunk + 1}, weight {place.weight:.4g}"


def _distances(difference: Difference) -> Table:
    from rich.table import Table

    table = Table(title="how far the embeds differ")
    for name in ("", "max |A - B|", "|A - B| / |A|"):
        table.add_column(name, justify="right" if name else "left")
    rows: list[tuple[str, Distance | None]] = [
        (f"chunk {i}", each) for i, each in enumerate(difference.chunks[:MAX_SHOWN], 1)
    ]
    for name, each in [*rows, ("pooled", difference.pooled)]:
        if each is not None:
            table.add_row(name, f"{each.max:.4g}", f"{each.relative:.4g}")
        elif name != "pooled":
            table.add_row(name, "in one only", "")
    return table
