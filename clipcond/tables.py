"""Read numbered lines of text files and rows of Parquet files, whatever is wrong with them."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, islice
from os import fstat
from pathlib import Path
from typing import TYPE_CHECKING

from clipcond.encodings import decode_utf_8
from clipcond.errors import ClipcondError, first_line, printable

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

MAX_LINE = 50_000  # bytes; a caption has hundreds
NOT_UTF_8 = "it is not UTF-8"
MOST_BREAKS, FEW_BREAKS = 20, 5  # of lines in a quoted cell, and in a table of one column
_BROKEN = "it is part of a cell in quotes that has line breaks; a row is one line"
_OLD_LINES = "its lines end in CR alone, as old programs write them; save it with LF"
# How files begin that are no text, whatever their names say.
_OTHERS = (
    (b"\x1f\x8b", "compressed by gzip", "Unpack it first."),
    (b"PK\x03\x04", "a .zip or a table of a spreadsheet", "Unpack it, or save it as text."),
    (b"PAR1", "Parquet", "Name it .parquet."),
)


class BadRow(Exception):
    """Why a row cannot be used."""


def read_lines(
    path: Path, failed: type[ClipcondError], *, offset: int = 0, first: int = 1
) -> Iterator[tuple[int, str | BadRow]]:
    """Yield numbered lines; a line without end takes no more memory than MAX_LINE.

    Args:
        failed: the error where the file is no text.
        offset, first: where to begin, in bytes, and the number of the line there.
    """
    with open(path, "rb") as file:
        start = file.read(4)
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise failed(f"{str(path)!r} is UTF-16", "Save it as UTF-8.")
        for beginning, what, remedy in _OTHERS:
            if start.startswith(beginning):
                raise failed(f"{str(path)!r} is no text: it is {what}", remedy)
        file.seek(offset or (3 if start[:3] == b"\xef\xbb\xbf" else 0))
        size = fstat(file.fileno()).st_size
        for number in count(first):
            raw = part = file.readline(MAX_LINE)
            if not raw:
                return
            while len(part) == MAX_LINE and not part.endswith(b"\n"):
                part = file.readline(MAX_LINE)
            if number == 1 and file.tell() == size and b"\r" in raw.rstrip(b"\r\n"):
                yield number, BadRow(_OLD_LINES)
            elif len(raw) == MAX_LINE and not raw.endswith(b"\n"):
                yield number, BadRow(f"it is longer than {MAX_LINE} bytes")
            else:
                yield number, _decode(raw)


def _decode(raw: bytes) -> str | BadRow:
    try:
        line = decode_utf_8(raw).rstrip("\r\n")
    except UnicodeDecodeError as error:
        return BadRow(f"{NOT_UTF_8}: byte {raw[error.start]:#04x}")
    if "\0" in line:
        return BadRow("it holds a zero byte")
    return line if line.strip() else BadRow("it is empty")


def without_broken_cells(
    lines: Iterable[tuple[int, str | BadRow]], before: Iterable[str | BadRow] = ()
) -> Iterator[tuple[int, str | BadRow]]:
    """Refuse the lines of a .tsv that are parts of one quoted cell, as pandas and csv write them.

    Half of a cell is no text. A cell whose quote is not closed within MOST_BREAKS lines is a text
    as it is.

    Args:
        before: the lines before the first, as many as MOST_BREAKS if there are.
    """
    source = iter(lines)
    numbered = [(0, line) for line in before]
    n_before, n_left = len(numbered), 0  # lines that are still of the cell
    ahead = deque([*numbered, *islice(source, MOST_BREAKS + 1)])
    while ahead:
        number, line = ahead.popleft()
        ahead.extend(islice(source, 1))
        is_part, n_left = n_left > 0, max(0, n_left - 1)
        if not n_left and isinstance(line, str) and _opens(_rest_of(line) if is_part else line):
            n_left = _lines_until_closed(line, (each for _, each in islice(ahead, MOST_BREAKS)))
        n_before -= 1
        if n_before < 0:
            yield number, BadRow(_BROKEN) if is_part or n_left else line


def _rest_of(closing: str) -> str:
    """Return what follows the cell that a line closes."""
    return closing.partition("\t")[2]


def _opens(line: str) -> bool:
    """Whether a line's last cell begins with a quote that it does not close."""
    cell = line.rpartition("\t")[2]
    return cell.startswith('"') and cell.count('"') % 2 == 1


def _lines_until_closed(opening: str, lines: Iterable[str | BadRow]) -> int:
    """Count the lines up to the one whose first cell closes the quote; 0 if none does.

    Quotes within a cell are doubled, so the first line with an odd number of them ends it. In a
    table of one column any two texts with a quote may look so: there it has a few lines only.
    """
    for n, line in enumerate(lines, 1):
        if isinstance(line, BadRow) or line.count('"') % 2 == 0:
            continue
        cell, tab, _ = line.partition("\t")
        is_near = n <= FEW_BREAKS or tab or "\t" in opening
        return n if is_near and cell.endswith('"') and cell.count('"') % 2 else 0
    return 0


def lines_before(path: Path, offset: int) -> list[str | BadRow]:
    """Read the last lines before a byte of a file, at most MOST_BREAKS."""
    start = max(0, offset - MOST_BREAKS * MAX_LINE)
    with open(path, "rb") as file:
        file.seek(start)
        lines = file.read(offset - start).removeprefix(b"" if start else BOM_UTF8).split(b"\n")
    kept = lines[bool(start) : -1][-MOST_BREAKS:]
    return [_decode(line) if len(line) < MAX_LINE else BadRow("") for line in kept]


def unquoted(cells: list[str]) -> list[str]:
    """Take off the quotes of pandas, csv and spreadsheets, which double those within.

    A cell in quotes without doubled ones may be a caption in quotes: it is theirs only if all cells
    of its line are in quotes.
    """
    inner = [cell[1:-1] if _is_quoted(cell) else None for cell in cells]
    is_theirs = None not in inner
    return [
        cell if text is None or not (is_theirs or '""' in text) else text.replace('""', '"')
        for cell, text in zip(cells, inner, strict=True)
    ]


def _is_quoted(cell: str) -> bool:
    is_framed = len(cell) >= 2 and cell[0] == cell[-1] == '"'
    return is_framed and '"' not in cell[1:-1].replace('""', "")


@contextmanager
def parquet_file(path: Path, failed: type[ClipcondError], others: str) -> Iterator[ParquetFile]:
    """Open a Parquet file, and turn what pyarrow raises inside into one error.

    Args:
        failed: the error.
        others: which files need no pyarrow, for the remedy.
    """
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise failed(
            f"{str(path)!r}: reading Parquet needs pyarrow, which is not installed",
            f"Install it with: pip install pyarrow, or give {others}.",
        ) from error
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except ClipcondError:
        raise
    except Exception as error:  # pyarrow fails with a dozen kinds
        reason = printable(first_line(error))
        raise failed(f"{str(path)!r} cannot be read: {reason}") from error


def parquet_rows(
    file: ParquetFile, columns: Sequence[str], *, skip: int = 0
) -> Iterator[Mapping[str, object]]:
    """Yield rows of an open Parquet file.

    Args:
        skip: how many rows to leave out; whole row groups of them are not read.
    Raises:
        ValueError: there are fewer than the file says.
    """
    groups, n_rows = list(range(file.num_row_groups)), file.metadata.num_rows
    while groups and skip >= (size := file.metadata.row_group(groups[0]).num_rows):
        skip, n_rows, groups = skip - size, n_rows - size, groups[1:]
    n_read = 0
    for batch in file.iter_batches(columns=list(columns), row_groups=groups):
        rows = batch.slice(max(0, skip - n_read)).to_pylist()
        n_read += len(batch)
        yield from rows
    if n_read != n_rows:
        raise ValueError("it has fewer rows than it says")
