"""Read rows of .tsv, .jsonl and .parquet files, each with the number of its line.

.tsv      two columns, teacher's text and tower's, perhaps a third with a picture's path; or a
          first line that names the columns, in any order and among others; quoted as by pandas
          and csv, or not at all
.jsonl    one JSON object a line
.parquet  one row a pair (needs pyarrow)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from clipcond.errors import PairsError, counted, excerpt, first_line, printable

MAX_LINE = 50_000  # bytes; a caption has hundreds
NOT_UTF_8 = "it is not UTF-8"
# What a line of text holds.
SHAPES = {
    ".tsv": "A line of a .tsv has two columns with a tab between.",
    ".jsonl": "A line of a .jsonl is a JSON object.",
}
# How files begin that are no text, whatever their names say.
_OTHERS = (
    (b"\x1f\x8b", "compressed by gzip", "Unpack it first."),
    (b"PK\x03\x04", "a .zip or a table of a spreadsheet", "Unpack it, or save it as text."),
    (b"PAR1", "Parquet", "Name it .parquet."),
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of teacher's text, tower's text and picture; None = the default.

    Args:
        defaults: the usual names.
        labels: what messages call the two texts.
        options: what a caller gives for the names, for messages.
    """

    teacher: str | None = None
    tower: str | None = None
    image: str | None = None
    defaults: tuple[str, str, str] = ("teacher", "tower", "image")
    labels: tuple[str, str] = ("the teacher's side", "the tower's side")
    options: str = field(
        default="columns=Columns(teacher=..., tower=..., image=...)", compare=False
    )

    @property
    def names(self) -> tuple[str, str, str]:
        """List the columns of the teacher's text, the tower's text and the picture."""
        first, second, third = self.defaults
        return self.teacher or first, self.tower or second, self.image or third

    def check(self, path: Path, present: Sequence[str]) -> None:
        """Refuse a file that lacks a column, or has two of one name.

        Raises:
            PairsError: names the column.
        """
        for name in (*self.names[:2], *([self.image] if self.image else [])):
            if present.count(name) > 1:
                raise PairsError(f"{str(path)!r} has {present.count(name)} columns {name!r}")
            if name not in present:
                raise PairsError(
                    f"{str(path)!r} has no column {name!r}; it has {excerpt(', '.join(present))}",
                    f"Say which ones to read: {self.options}.",
                )


class BadRow(Exception):
    """Why a row cannot be used."""


Row = tuple[int, Mapping[str, object] | BadRow]


def _read_lines(path: Path) -> Iterator[tuple[int, str | BadRow]]:
    """Yield numbered lines; a line without end takes no more memory than MAX_LINE."""
    with open(path, "rb") as file:
        start = file.read(4)
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise PairsError(f"{str(path)!r} is UTF-16", "Save it as UTF-8.")
        for beginning, what, remedy in _OTHERS:
            if start.startswith(beginning):
                raise PairsError(f"{str(path)!r} is no text: it is {what}", remedy)
        file.seek(3 if start[:3] == b"\xef\xbb\xbf" else 0)
        for number in count(1):
            raw = part = file.readline(MAX_LINE)
            if not raw:
                return
            while len(part) == MAX_LINE and not part.endswith(b"\n"):
                part = file.readline(MAX_LINE)
            if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
                yield number, BadRow(f"it is longer than {MAX_LINE} bytes")
            else:
                yield number, _decode(raw)


def _decode(raw: bytes) -> str | BadRow:
    try:
        line = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        return BadRow(f"{NOT_UTF_8}: byte {raw[error.start]:#04x}")
    if "\0" in line:
        return BadRow("it holds a zero byte")
    return line if line.strip() else BadRow("it is empty")


def _read_tsv(path: Path, columns: Columns) -> Iterator[Row]:
    usual = list(dict.fromkeys(columns.names))
    is_named = any((columns.teacher, columns.tower, columns.image))
    header: list[str] | None = None  # [] = without one
    for number, line in _read_lines(path):
        if isinstance(line, BadRow):
            yield number, line
            continue
        cells = _unquoted(line.split("\t"))
        if header is None:
            titles = [cell.strip() for cell in cells]
            header = titles if is_named or set(usual[:2]) <= set(titles) else []
            if header:
                columns.check(path, header)
                continue
        names = header or usual[: max(2, len(cells))]
        if len(cells) == len(names):
            yield number, dict(zip(names, cells, strict=True))
            continue
        unnamed = "2, or 3 with a picture" if len(usual) > 2 else "2"
        n_cells = counted(len(cells), "column")
        yield number, BadRow(f"it has {n_cells}, expected {len(header) if header else unnamed}")


def _unquoted(cells: list[str]) -> list[str]:
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


def _read_jsonl(path: Path, columns: Columns) -> Iterator[Row]:
    for number, line in _read_lines(path):
        row: object = line
        if isinstance(line, str):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = BadRow("it is no JSON")
        if not isinstance(row, (dict, BadRow)):
            row = BadRow(f"it is no JSON object but {excerpt(str(line))}")
        yield number, row


def _read_parquet(path: Path, columns: Columns) -> Iterator[Row]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise PairsError(
            f"{str(path)!r}: reading Parquet needs pyarrow, which is not installed",
            "Install it with: pip install pyarrow, or give a .tsv or .jsonl file.",
        ) from error
    try:
        file = parquet.ParquetFile(path, page_checksum_verification=True)
        present = list(file.schema_arrow.names)
        columns.check(path, present)
        wanted = [name for name in dict.fromkeys(columns.names) if name in present]
        numbers = count(1)
        for batch in file.iter_batches(columns=wanted):
            for row in batch.to_pylist():
                yield next(numbers), row
        if next(numbers) != file.metadata.num_rows + 1:
            raise ValueError("it has fewer rows than it says")
    except PairsError:
        raise
    except Exception as error:  # pyarrow fails with a dozen kinds
        reason = printable(first_line(error))
        raise PairsError(f"{str(path)!r} cannot be read: {reason}") from error


READERS: dict[str, Callable[[Path, Columns], Iterator[Row]]] = {
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
