"""Read rows of text files and tables from any place on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

from clipcond.bulk.sources import OTHERS, Place, Source, has_header_line
from clipcond.errors import BulkError, excerpt
from clipcond.tables import (
    BadRow,
    lines_before,
    parquet_file,
    parquet_rows,
    read_lines,
    unquoted,
    without_broken_cells,
)

# A text, a table's values by their columns, or why neither can be read.
Row: TypeAlias = "str | Mapping[str, object] | BadRow"
Rows: TypeAlias = Iterator[tuple[int, Row]]


def read_rows(
    sources: Sequence[Source], place: Place, n_rows: int
) -> Iterator[tuple[int, int, Row]]:
    """Read rows from a place on, bad ones included.

    Args:
        place: one of `places_of`.
    Yields:
        the file's number, that of the line in it, or of Parquet's row, from 1, and the row.
    Raises:
        BulkError: a file has changed since it was looked through, or cannot be read.
    """
    left = n_rows
    for i in range(place.file, len(sources)):
        source = sources[i]
        first = 1 + has_header_line(source)
        here = place if i == place.file else Place(i, 0, first)
        n_here = min(left, source.n_lines - (here.line - first))
        n_read = 0
        for line, row in islice(_READERS[source.path.suffix.lower()](source, here), n_here):
            n_read += 1
            yield i, line, row
        if n_read < n_here:
            raise BulkError(f"{str(source.path)!r} has changed while it was read")
        left -= n_here
        if not left:
            return


def _lines(source: Source, place: Place) -> Iterator[tuple[int, str | BadRow]]:
    """Yield the lines from a place on, without the header."""
    found = read_lines(source.path, BulkError, offset=place.offset, first=place.line)
    if has_header_line(source) and not place.offset:
        found = read_lines(source.path, BulkError)
        next(found)
    return found


def _read_txt(source: Source, place: Place) -> Rows:
    for number, line in _lines(source, place):
        yield number, line if isinstance(line, BadRow) else line.strip()


def _read_tsv(source: Source, place: Place) -> Rows:
    names = source.header
    before = lines_before(source.path, place.offset)
    for number, line in without_broken_cells(_lines(source, place), before):
        if isinstance(line, BadRow):
            yield number, line
            continue
        cells = unquoted(line.split("\t"))
        if len(cells) != max(1, len(names)):
            yield number, BadRow(f"it has {len(cells)} columns, expected {max(1, len(names))}")
        else:
            yield number, dict(zip(names, cells, strict=True)) if names else cells[0]


def _read_jsonl(source: Source, place: Place) -> Rows:
    for number, line in _lines(source, place):
        yield number, line if isinstance(line, BadRow) else row_of_json(line)


def row_of_json(line: str) -> Row:
    """Read a row of JSON: an object or a string."""
    try:
        row = json.loads(line, object_pairs_hook=_once)
    except _Twice as error:
        return BadRow(f"it has {excerpt(repr(str(error)))} twice")
    except (ValueError, RecursionError):
        return BadRow("it is no JSON")
    if isinstance(row, str | Mapping):
        return row
    return BadRow(f"it is neither a JSON object nor a string but {excerpt(json.dumps(row))}")


class _Twice(ValueError):
    """A name is twice in an object."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in found if names.count(name) > 1))
    return found


def _read_parquet(source: Source, place: Place) -> Rows:
    with parquet_file(source.path, BulkError, OTHERS) as file:
        yield from enumerate(parquet_rows(file, source.header, skip=place.line - 1), place.line)


_READERS: dict[str, Callable[[Source, Place], Rows]] = {
    ".txt": _read_txt,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
