"""Rows of .tsv, .jsonl and .parquet files, each with its line; what cannot be read is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from clipcond.errors import PairsError, excerpt

__all__ = ["MAX_LINE", "NOT_UTF_8", "READERS", "Bad", "Columns"]

MAX_LINE = 50_000  # bytes; a caption has hundreds
NOT_UTF_8 = "it is not UTF-8"


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns are called; None = as `usual`.

    Args:
        sides: what messages call the first two.
        options: of the command line, that name them.
    """

    teacher: str | None = None
    tower: str | None = None
    image: str | None = None
    usual: tuple[str, str, str] = ("teacher", "tower", "image")
    sides: tuple[str, str] = ("the teacher's side", "the tower's side")
    options: str = "--teacher-column, --tower-column, --image-column"

    @property
    def names(self) -> tuple[str, str, str]:
        first, second, third = self.usual
        return self.teacher or first, self.tower or second, self.image or third

    @property
    def are_named(self) -> bool:
        return any((self.teacher, self.tower, self.image))


class Bad(Exception):
    """Why a line cannot be used."""


Row = tuple[int, Mapping[str, object] | Bad]


def _lines(path: Path) -> Iterator[tuple[int, str | Bad]]:
    """Numbered lines of a text file; a line without end takes no more memory than MAX_LINE."""
    with open(path, "rb") as file:
        start = file.read(4)
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise PairsError(f"{str(path)!r} is UTF-16", "Save it as UTF-8.")
        file.seek(3 if start[:3] == b"\xef\xbb\xbf" else 0)
        for number in count(1):
            raw = file.readline(MAX_LINE)
            if not raw:
                return
            if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
                while raw and not raw.endswith(b"\n"):
                    raw = file.readline(MAX_LINE)
                yield number, Bad(f"it is longer than {MAX_LINE} bytes")
                continue
            try:
                line = raw.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                yield number, Bad(f"{NOT_UTF_8}: byte {raw[error.start]:#04x}")
                continue
            if "\0" in line:
                yield number, Bad("it holds a zero byte")
            else:
                yield number, line if line.strip() else Bad("it is empty")


def _tsv(path: Path, columns: Columns) -> Iterator[Row]:
    wanted = list(dict.fromkeys(columns.names))
    header: list[str] | None = None
    is_first = True
    for number, line in _lines(path):
        if isinstance(line, Bad):
            yield number, line
            continue
        cells = line.split("\t")
        if is_first:
            is_first, titles = False, [cell.strip() for cell in cells]
            if columns.are_named or set(wanted[:2]) <= set(titles):
                header = titles
                _check_columns(path, columns, header)
                continue
        names = header or wanted[: max(2, len(cells))]
        if len(cells) != len(names):
            with_picture = "2, or 3 with a picture" if len(wanted) > 2 else "2"
            expected = str(len(header)) if header else with_picture
            n = f"{len(cells)} column{'' if len(cells) == 1 else 's'}"
            yield number, Bad(f"it has {n}, expected {expected}")
        else:
            yield number, dict(zip(names, cells, strict=True))


def _jsonl(path: Path, columns: Columns) -> Iterator[Row]:
    for number, line in _lines(path):
        if isinstance(line, Bad):
            yield number, line
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield number, Bad("it is no JSON")
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            yield number, Bad(f"it is no JSON object but {excerpt(line)}")


def _parquet(path: Path, columns: Columns) -> Iterator[Row]:
    try:
        import pyarrow.parquet as parquet
        from pyarrow import ArrowException
    except ImportError as error:
        raise PairsError(
            f"{str(path)!r}: reading Parquet needs pyarrow, which is not installed",
            "Install it with: pip install pyarrow, or give a .tsv or .jsonl file.",
        ) from error
    try:
        file = parquet.ParquetFile(path)
        present = list(file.schema_arrow.names)
        _check_columns(path, columns, present)
        wanted = [name for name in dict.fromkeys(columns.names) if name in present]
        numbers = count(1)
        for batch in file.iter_batches(columns=wanted):
            for row in batch.to_pylist():
                yield next(numbers), row
    except ArrowException as error:
        raise PairsError(f"{str(path)!r} cannot be read: {str(error).splitlines()[0]}") from error


def _check_columns(path: Path, columns: Columns, present: list[str]) -> None:
    must = [*columns.names[:2], *([columns.image] if columns.image else [])]
    for name in must:
        if present.count(name) > 1:
            raise PairsError(f"{str(path)!r} has {present.count(name)} columns {name!r}")
        if name not in present:
            raise PairsError(
                f"{str(path)!r} has no column {name!r}; it has {excerpt(', '.join(present))}",
                f"Say which ones to read: {columns.options}.",
            )


READERS: dict[str, Callable[[Path, Columns], Iterator[Row]]] = {
    ".tsv": _tsv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
