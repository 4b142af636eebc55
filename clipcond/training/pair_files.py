"""Read rows of .tsv, .jsonl and .parquet files, each with the number of its line.

.tsv      two columns, teacher's text and tower's, perhaps a third with a picture's path; or a
          first line that names the columns, in any order and case and among others; quoted as by
          pandas and csv, or not at all
.jsonl    one JSON object a line
.parquet  one row a pair (needs pyarrow)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipcond.errors import PairsError, counted, excerpt
from clipcond.tables import (
    BadRow,
    parquet_file,
    parquet_rows,
    read_lines,
    unquoted,
    without_broken_cells,
)

# What a line of text holds.
SHAPES = {
    ".tsv": "A line of a .tsv has two columns with a tab between.",
    ".jsonl": "A line of a .jsonl is a JSON object.",
}


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


Row = tuple[int, Mapping[str, object] | BadRow]


def _read_tsv(path: Path, columns: Columns) -> Iterator[Row]:
    usual = list(dict.fromkeys(columns.names))
    is_named = any((columns.teacher, columns.tower, columns.image))
    header: list[str] | None = None  # [] = without one
    for number, line in without_broken_cells(read_lines(path, PairsError)):
        if isinstance(line, BadRow):
            yield number, line
            continue
        cells = unquoted(line.split("\t"))
        if header is None:
            titles = _titles([cell.strip() for cell in cells], columns.names)
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


def _titles(cells: list[str], names: Sequence[str]) -> list[str]:
    """Name columns as they are asked for, in whatever case a file has those that it lacks."""
    lacking = {name.lower(): name for name in names if name not in cells}
    return [cell if cell in names else lacking.get(cell.lower(), cell) for cell in cells]


def _read_jsonl(path: Path, columns: Columns) -> Iterator[Row]:
    for number, line in read_lines(path, PairsError):
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
    with parquet_file(path, PairsError, "a .tsv or .jsonl file") as file:
        present = list(file.schema_arrow.names)
        columns.check(path, present)
        wanted = [name for name in dict.fromkeys(columns.names) if name in present]
        yield from enumerate(parquet_rows(file, wanted), 1)


READERS: dict[str, Callable[[Path, Columns], Iterator[Row]]] = {
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
