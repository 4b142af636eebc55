"""Draw what differs between two reports as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from clipcond.conditioning.pages.wording import Wording
from clipcond.conditioning.report_table import MAX_SHOWN, and_more, facts, issue_lines
from clipcond.errors import excerpt

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from clipcond.conditioning.comparison import Comparison, Difference, Distance, TokenPlace


def comparison_lines(
    comparison: Comparison, wording: Wording | None = None
) -> Iterator[RenderableType]:
    """Yield the lines and tables of a comparison."""
    from rich.text import Text

    wording = Wording() if wording is None else wording
    for name, report in (("A", comparison.first), ("B", comparison.second)):
        yield Text(f"{name}: {excerpt(report.parsed.source, 200)!r}")
        yield Text(f"   {facts(report, wording)}")
        yield from issue_lines(report, wording)
    for name, differences in (
        ("tower {}: {}", comparison.towers),
        ("negative: tower {}: {}", comparison.negatives),
    ):
        for i, each in enumerate(differences):
            is_known = i > 0 and each.changes == differences[0].changes
            more = wording.plain("; the same as above") if is_known and each.changes else ""
            said = wording.plain(name, each.first.tower, summary(each, wording))
            yield Text(f"\n{said}{more}")
            if each.hint:
                yield Text("\n".join(wording.issue(each.hint)))
            if each.changes and not is_known:
                yield _tokens(each, wording)
                yield from and_more(len(each.changes), "... and {} more tokens", wording)
            if each.chunks:
                yield _distances(each, wording)


def summary(difference: Difference, wording: Wording) -> str:
    """Say in one line how much differs."""
    n = len(difference.changes)
    n_same = _counted(len(difference.pairs) - n, "token", wording)
    chunks, others = (
        _counted(len(each.encoded), "chunk", wording)
        for each in (difference.first, difference.second)
    )
    if chunks != others:
        chunks = wording.plain("{} against {}", chunks, others)
    if not n:
        return wording.plain("no token differs, {} in {}", n_same, chunks)
    template = "{}; {} is the same, in {}" if len(difference.pairs) - n == 1 else _SAME
    said = wording.plain(template, _counted(n, "difference", wording), n_same, chunks)
    return said if difference.is_aligned else said + wording.plain(_TOO_MANY)


_SAME, _TOO_MANY = "{}; {} are the same, in {}", "; too many differ to be aligned"


def _counted(n: int, noun: str, wording: Wording) -> str:
    return wording.plain(f"{{}} {noun}" if n == 1 else f"{{}} {noun}s", n)


def _tokens(difference: Difference, wording: Wording) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in ("change", "token", "A", "B"):
        table.add_column(wording.plain(name))
    for pair in difference.changes[:MAX_SHOWN]:
        places = (_place(place, wording) for place in (pair.first, pair.second))
        table.add_row(*map(Text, (wording.plain(pair.change), pair.token, *places)))
    return table


def _place(place: TokenPlace | None, wording: Wording) -> str:
    if place is None:
        return ""
    return wording.plain("chunk {}, weight {}", place.chunk + 1, f"{place.weight:.4g}")


def _distances(difference: Difference, wording: Wording) -> Table:
    from rich.table import Table

    table = Table(title=wording.plain("how far the embeds differ"))
    for name in ("", "max |A - B|", "|A - B| / |A|"):
        table.add_column(name, justify="right" if name else "left")
    rows: list[tuple[str, Distance | None]] = [
        (wording.plain("chunk {}", i), each)
        for i, each in enumerate(difference.chunks[:MAX_SHOWN], 1)
    ]
    for name, each in rows:
        cells = ("", "") if each is None else (f"{each.max:.4g}", f"{each.relative:.4g}")
        table.add_row(name, *((wording.plain("in one only"), "") if each is None else cells))
    if difference.pooled is not None:
        pooled = difference.pooled
        table.add_row(wording.plain("pooled"), f"{pooled.max:.4g}", f"{pooled.relative:.4g}")
    return table
