"""Files of pairs: what the teacher reads, what the new tower reads, and perhaps a picture.

    .tsv      two columns, teacher's text and tower's, perhaps a third with a picture's path; or a
              first line that names the columns, in any order and among others
    .jsonl    one JSON object a line
    .parquet  one row a pair (needs pyarrow)

Columns are called `teacher`, `tower` and `image` unless said otherwise. A pair that cannot be used
is skipped and named by its line; too many of them are an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from clipcond.errors import PairsError, excerpt

__all__ = ["BadPair", "Columns", "Pair", "Pairs", "read_pairs"]

MAX_LINE = 50_000  # bytes; a caption has hundreds
MAX_BAD_SHARE, MIN_BAD = 0.01, 10
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that say the same, the picture's path or None, and the line they came from."""

    teacher: str
    tower: str
    image: Path | None
    line: int


@dataclass(frozen=True, slots=True)
class BadPair:
    """A line that cannot be used, and why."""

    line: int
    reason: str


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


@dataclass(frozen=True, slots=True)
class Pairs:
    """The usable pairs of a file, and what was skipped.

    Args:
        max_bad: how many may be skipped; None = 1 % of the lines, or 10 if that is more.
    """

    path: Path
    pairs: tuple[Pair, ...]
    bad: tuple[BadPair, ...]
    max_bad: int | None = None

    @property
    def n_lines(self) -> int:
        return len(self.pairs) + len(self.bad)

    def without(self, bad: Iterable[BadPair]) -> Pairs:
        """These pairs but for some more that turn out to be unusable.

        Raises:
            PairsError: too many are now, or all.
        """
        more = tuple(bad)
        lines = {each.line for each in more}
        kept = tuple(pair for pair in self.pairs if pair.line not in lines)
        every = tuple(sorted((*self.bad, *more), key=lambda each: each.line))
        return replace(self, pairs=kept, bad=every).checked()

    def checked(self) -> Pairs:
        """Itself.

        Raises:
            PairsError: more bad lines than allowed, or no good one.
        """
        limit = self.max_bad
        if limit is None:
            limit = max(MIN_BAD, int(MAX_BAD_SHARE * self.n_lines))
        if len(self.bad) > limit or not self.pairs:
            allowed = f"; {limit} may be" if self.pairs else ""
            raise PairsError(
                f"{str(self.path)!r}: {len(self.bad)} of {self.n_lines} lines cannot be "
                f"used{allowed}\n{self.told()}".rstrip(),
                "Mend the file, or allow more with --max-bad." if self.pairs else "",
            )
        return self

    def told(self, most: int = SHOWN) -> str:
        """The first of the bad lines, one on each line."""
        lines = [f"  line {each.line}: {each.reason}" for each in self.bad[:most]]
        if len(self.bad) > most:
            lines.append(f"  and {len(self.bad) - most} more")
        return "\n".join(lines)


def read_pairs(
    path: str | Path, columns: Columns | None = None, *, max_bad: int | None = None
) -> Pairs:
    """Read a file of pairs; bad ones are skipped.

    A pair is bad if a side is missing or empty, the number of columns is wrong, the line is not
    UTF-8, no JSON object or too long, or its picture is not there.

    Args:
        path: a .tsv, .jsonl or .parquet file. Paths of pictures in it start from its folder.
        columns: their names, where they are not `teacher`, `tower` and `image`.
        max_bad: how many bad pairs are skipped; None = 1 % of the lines, or 10 if that is more.
    Raises:
        PairsError: not a file of a known kind, a column is not there, too many bad pairs.
    """
    path, columns = Path(path).expanduser(), columns or Columns()
    if not path.is_file():
        raise PairsError(f"there is no file {str(path)!r}")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise PairsError(
            f"{str(path)!r}: pairs are read from {', '.join(_READERS)} files",
            "A .tsv has two columns: the teacher's text and the tower's.",
        )
    pairs: list[Pair] = []
    bad: list[BadPair] = []
    for line, found in reader(path, columns):
        try:
            if isinstance(found, _Bad):
                raise found
            pairs.append(_pair(line, found, columns, path.parent))
        except _Bad as error:
            bad.append(BadPair(line, str(error)))
    return Pairs(path, tuple(pairs), tuple(bad), max_bad).checked()


class _Bad(Exception):
    """Why a line cannot be used."""


Row = tuple[int, Mapping[str, object] | _Bad]


def _pair(line: int, row: Mapping[str, object], columns: Columns, folder: Path) -> Pair:
    texts = []
    for side, name in zip(columns.sides, columns.names[:2], strict=True):
        value = row.get(name)
        if value is None:
            others = ", ".join(str(key) for key in row) or "nothing"
            raise _Bad(f"{side} is missing: no {name!r} (found: {excerpt(others)})")
        if not isinstance(value, str):
            raise _Bad(f"{side} is no text: {excerpt(repr(value))}")
        if not value.strip():
            raise _Bad(f"{side} is empty")
        if "\ufffd" in value:
            raise _Bad(f"{side} was decoded wrongly: it holds U+FFFD")
        texts.append(value.strip())
    return Pair(*texts, _image(row.get(columns.names[2]), folder), line)


def _image(value: object, folder: Path) -> Path | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _Bad(f"its picture is no path: {excerpt(repr(value))}")
    image = folder / Path(value).expanduser()
    if not image.is_file():
        raise _Bad(f"there is no picture {excerpt(value)!r}")
    return image


def _lines(path: Path) -> Iterator[tuple[int, str | _Bad]]:
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
                yield number, _Bad(f"it is longer than {MAX_LINE} bytes")
                continue
            try:
                line = raw.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                yield number, _Bad(f"it is not UTF-8: byte {raw[error.start]:#04x}")
                continue
            if "\0" in line:
                yield number, _Bad("it holds a zero byte")
            else:
                yield number, line if line.strip() else _Bad("it is empty")


def _tsv(path: Path, columns: Columns) -> Iterator[Row]:
    wanted = list(dict.fromkeys(columns.names))
    header: list[str] | None = None
    for number, line in _lines(path):
        if isinstance(line, _Bad):
            yield number, line
            continue
        cells = line.split("\t")
        if number == 1 and (columns.are_named or set(wanted[:2]) <= {cell.strip() for cell in cells}):
            header = [cell.strip() for cell in cells]
            _check_columns(path, columns, header)
            continue
        names = header or wanted[: max(2, len(cells))]
        if len(cells) != len(names):
            with_picture = "2, or 3 with a picture" if len(wanted) > 2 else "2"
            expected = str(len(header)) if header else with_picture
            n = f"{len(cells)} column{'' if len(cells) == 1 else 's'}"
            yield number, _Bad(f"it has {n}, expected {expected}")
        else:
            yield number, dict(zip(names, cells, strict=True))


def _jsonl(path: Path, columns: Columns) -> Iterator[Row]:
    for number, line in _lines(path):
        if isinstance(line, _Bad):
            yield number, line
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield number, _Bad("it is no JSON")
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            yield number, _Bad(f"it is no JSON object but {excerpt(line)}")


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
        if name not in present:
            raise PairsError(
                f"{str(path)!r} has no column {name!r}; it has {excerpt(', '.join(present))}",
                f"Say which ones to read: {columns.options}.",
            )


_READERS: dict[str, Callable[[Path, Columns], Iterator[Row]]] = {
    ".tsv": _tsv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
