"""Read captions of text files, tables and folders of them, from any place on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path

from clipcond.bulk import sources
from clipcond.bulk.rows import Row, read_rows
from clipcond.bulk.sources import Place, Source, find_column, no_column
from clipcond.errors import BulkError
from clipcond.tables import BadRow

USUAL = ("caption", "text", "prompt")  # columns, the first that a file has
_ROLE = "caption"
_COLUMN = "Name the column of the captions with column=."


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption, or what is wrong with its line.

    Args:
        file: the file's number in the list of sources.
        line: of a text file, from 1; or the row of a Parquet file.
        error: why it cannot be used; "" = it can.
    """

    text: str
    file: int
    line: int
    error: str = ""


def find_sources(
    captions: str | PathLike[str], column: str | None = None
) -> tuple[list[Source], list[Path]]:
    """Look through a file of captions, or all of a folder and its subfolders, sorted by name.

    Args:
        column: the one with the captions; None = the first of `USUAL` that a file has.
    Returns:
        the files, and those in the folder that are of another kind.
    Raises:
        BulkError: there are none, or one cannot be read or has no such column.
    """
    return sources.find_sources(captions, partial(_choose, column), what="captions")


def _choose(column: str | None, path: Path, present: Sequence[str]) -> Mapping[str, str] | None:
    if not present:
        if path.suffix.lower() == ".txt" and column is not None:
            raise BulkError(f"{str(path)!r} has no columns, but {column!r} is asked for", _COLUMN)
        return {_ROLE: column} if column else {}
    is_text = path.suffix.lower() == ".tsv" and len(present) == 1
    if column is None and is_text and present[0].lower() not in USUAL:
        return None
    wanted = USUAL if column is None else (column,)
    found = find_column(path, present, wanted, _COLUMN)
    if found is None:
        raise no_column(path, present, wanted, _COLUMN)
    return {_ROLE: found}


def column_of(source: Source) -> str:
    """Name the column with a file's captions; "" = each line is one."""
    return source.columns.get(_ROLE, "")


def read_captions(found: Sequence[Source], place: Place, n_captions: int) -> Iterator[Caption]:
    """Read captions from a place on, bad ones included.

    Args:
        place: one of `places_of`.
    Raises:
        BulkError: a file has changed since it was looked through, or cannot be read.
    """
    for file, line, row in read_rows(found, place, n_captions):
        text = _text_of(row, column_of(found[file]))
        if isinstance(text, BadRow):
            yield Caption("", file, line, str(text))
        else:
            yield Caption(text, file, line)


def _text_of(row: Row, column: str) -> str | BadRow:
    if not isinstance(row, Mapping):
        return row if isinstance(row, BadRow) else text_in(row, column)
    names = (column,) if column else USUAL
    name = next((each for each in names if each in row), None)
    if name is None:
        return BadRow(f"it has no {' or '.join(map(repr, names))}")
    return text_in(row[name], name)


def text_in(value: object, column: str) -> str | BadRow:
    """Check that a column's value is a text."""
    if not isinstance(value, str):
        kind = "null" if value is None else type(value).__name__
        return BadRow(f"{column!r} is {kind}, not a string")
    return value if value.strip() else BadRow("it is empty")
