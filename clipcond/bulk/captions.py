"""Read captions of text files, tables and folders of them, from any place on.

.txt      a caption a line
.tsv      columns by a first line that names them; or one column without such a line
.jsonl    a JSON object a line, or a string
.parquet  a row a caption (needs pyarrow)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path

from clipcond.errors import BulkError, excerpt
from clipcond.files import local_path, reading
from clipcond.tables import BadRow, parquet_file, parquet_rows, read_lines, unquoted

USUAL = ("caption", "text", "prompt")  # columns, the first that a file has
_BLOCK = 2**20  # bytes
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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run of captions begins: a file's number, the byte there, and the number of the line.

    In Parquet there are no bytes: `line` - 1 rows come before.
    """

    file: int = 0
    offset: int = 0
    line: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """A file of captions.

    Args:
        name: relative to the folder that was given, or the file's own.
        column: where its captions are; "" = each line is one.
        header: whether its first line names columns.
        n_lines: how many captions it has, bad ones included.
        digest: SHA-256 of its content; of Parquet, of its last 64 KiB and its size.
    """

    path: Path
    name: str
    column: str
    header: tuple[str, ...]
    n_lines: int
    digest: str


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
    root = local_path(captions, BulkError)
    others: list[Path] = []
    if root.is_dir():
        found = sorted(path for path in root.rglob("*") if path.is_file() and path.name[0] != ".")
        others = [path for path in found if path.suffix.lower() not in _READERS]
        found = [path for path in found if path.suffix.lower() in _READERS]
    elif not root.is_file():
        raise BulkError(f"there is no file or folder {str(root)!r}")
    elif root.suffix.lower() in _READERS:
        found = [root]
    else:
        known = ", ".join(_READERS)
        raise BulkError(f"{str(root)!r} is none of {known}", "Name it by what it holds.")
    if not found:
        raise BulkError(f"there is no file of captions in {str(root)!r}: {', '.join(_READERS)}")
    return [_look_through(path, root, column) for path in found], others


def _look_through(path: Path, root: Path, column: str | None) -> Source:
    name = str(path.relative_to(root)) if path != root else path.name
    if path.suffix.lower() == ".parquet":
        with parquet_file(path, BulkError, "a .txt, .tsv or .jsonl file") as file:
            own = _choose(path, file.schema_arrow.names, column)
            return Source(path, name, own, (), file.metadata.num_rows, _digest_of_end(path))
    header: tuple[str, ...] = ()
    own = column or ""
    if path.suffix.lower() == ".tsv":
        header, own = _header_of(path, column)
    if path.suffix.lower() == ".txt" and column is not None:
        raise BulkError(f"{str(path)!r} has no columns, but {column!r} is asked for", _COLUMN)
    digest, n_lines, last = hashlib.sha256(), 0, b"\n"
    with reading(path), open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            n_lines += block.count(b"\n")
            last = block[-1:]
    n_lines += (last != b"\n") - bool(header)
    return Source(path, name, own, header, max(n_lines, 0), digest.hexdigest())


def _header_of(path: Path, column: str | None) -> tuple[tuple[str, ...], str]:
    """Find the columns of a .tsv, and the one with the captions; () without a header."""
    _, line = next(read_lines(path, BulkError), (1, BadRow("it is empty")))
    if isinstance(line, BadRow):
        raise BulkError(f"{str(path)!r}: line 1 should name columns, but {line}")
    cells = tuple(cell.strip() for cell in unquoted(line.split("\t")))
    if column is None and len(cells) == 1 and cells[0].lower() not in USUAL:
        return (), ""
    return cells, _choose(path, cells, column)


def _choose(path: Path, present: Sequence[str], column: str | None) -> str:
    """Choose the column with the captions."""
    wanted = (column,) if column is not None else USUAL
    found = [name for each in wanted for name in present if name == each]
    found = found or [name for each in wanted for name in present if name.lower() == each.lower()]
    if not found:
        named = " or ".join(map(repr, wanted))
        has = excerpt(", ".join(present))
        raise BulkError(f"{str(path)!r} has no column {named}; it has {has}", _COLUMN)
    if present.count(found[0]) > 1:
        raise BulkError(
            f"{str(path)!r} has {present.count(found[0])} columns {found[0]!r}", _COLUMN
        )
    return found[0]


def _digest_of_end(path: Path) -> str:
    size = path.stat().st_size
    with reading(path), open(path, "rb") as stream:
        stream.seek(max(0, size - 2**16))
        return hashlib.sha256(size.to_bytes(8, "little") + stream.read()).hexdigest()


def places_of(sources: Sequence[Source], every: int) -> list[Place]:
    """Find where every n-th caption of all files is, so that work can begin there."""
    places, n_before = [], 0
    for i, source in enumerate(sources):
        wanted = range(-n_before % every, source.n_lines, every)
        n_before += source.n_lines
        if not wanted:
            continue
        if source.path.suffix.lower() == ".parquet":
            places += [Place(i, 0, row + 1) for row in wanted]
            continue
        first = bool(source.header)
        offsets = _offsets(source.path, [row + first for row in wanted])
        rows = zip(wanted, offsets, strict=True)
        places += [Place(i, offset, row + first + 1) for row, offset in rows]
    return places


def _offsets(path: Path, lines: Sequence[int]) -> list[int]:
    """Find at which byte lines begin, counted from 0, ascending."""
    found, n_lines, start = [0] * (lines[0] == 0), 0, 0
    todo = iter(lines[len(found) :])
    wanted = next(todo, None)
    with reading(path), open(path, "rb") as stream:
        while wanted is not None and (block := stream.read(_BLOCK)):
            n_here, at = block.count(b"\n"), -1
            while wanted is not None and wanted <= n_lines + n_here:
                for _ in range(wanted - n_lines):
                    at = block.index(b"\n", at + 1)
                n_here, n_lines = n_here - (wanted - n_lines), wanted
                found.append(start + at + 1)
                wanted = next(todo, None)
            n_lines, start = n_lines + n_here, start + len(block)
    return found


def read_captions(sources: Sequence[Source], place: Place, n_captions: int) -> Iterator[Caption]:
    """Read captions from a place on, bad ones included.

    Args:
        place: one of `places_of`.
    Raises:
        BulkError: a file has changed since it was looked through, or cannot be read.
    """
    left = n_captions
    for i in range(place.file, len(sources)):
        source = sources[i]
        here = place if i == place.file else Place(i, 0, 1 + bool(source.header))
        n_here = min(left, source.n_lines - (here.line - 1 - bool(source.header)))
        n_read = 0
        for line, text in islice(_READERS[source.path.suffix.lower()](source, here), n_here):
            n_read += 1
            if isinstance(text, BadRow):
                yield Caption("", i, line, str(text))
            else:
                yield Caption(text, i, line)
        if n_read < n_here:
            raise BulkError(f"{str(source.path)!r} has changed while it was read")
        left -= n_here
        if not left:
            return


Texts = Iterator[tuple[int, str | BadRow]]


def _lines(source: Source, place: Place) -> Texts:
    """Yield the lines from a place on, without the header."""
    found = read_lines(source.path, BulkError, offset=place.offset, first=place.line)
    if source.header and not place.offset:
        found = read_lines(source.path, BulkError)
        next(found)
    return found


def _read_txt(source: Source, place: Place) -> Texts:
    for number, line in _lines(source, place):
        yield number, line if isinstance(line, BadRow) else line.strip()


def _read_tsv(source: Source, place: Place) -> Texts:
    names = source.header or ("",)
    at = names.index(source.column)
    for number, line in _lines(source, place):
        if isinstance(line, BadRow):
            yield number, line
            continue
        cells = unquoted(line.split("\t"))
        if len(cells) == len(names):
            yield number, _checked(cells[at], source.column)
        else:
            yield number, BadRow(f"it has {len(cells)} columns, expected {len(names)}")


def _read_jsonl(source: Source, place: Place) -> Texts:
    for number, line in _lines(source, place):
        if isinstance(line, BadRow):
            yield number, line
            continue
        try:
            yield number, _of_json(json.loads(line), source.column)
        except (ValueError, RecursionError):
            yield number, BadRow("it is no JSON")


def _of_json(row: object, column: str) -> str | BadRow:
    if isinstance(row, str):
        return _checked(row, "")
    if not isinstance(row, Mapping):
        return BadRow(f"it is neither a JSON object nor a string but {excerpt(json.dumps(row))}")
    names: Iterable[str] = (column,) if column else USUAL
    name = next((each for each in names if each in row), None)
    if name is None:
        return BadRow(f"it has no {' or '.join(map(repr, names))}")
    return _checked(row[name], name)


def _read_parquet(source: Source, place: Place) -> Texts:
    with parquet_file(source.path, BulkError, "a .txt, .tsv or .jsonl file") as file:
        rows = parquet_rows(file, [source.column], skip=place.line - 1)
        for number, row in enumerate(rows, place.line):
            yield number, _checked(row[source.column], source.column)


def _checked(value: object, column: str) -> str | BadRow:
    if not isinstance(value, str):
        kind = "null" if value is None else type(value).__name__
        return BadRow(f"{column!r} is {kind}, not a string")
    return value if value.strip() else BadRow("it is empty")


_READERS: dict[str, Callable[[Source, Place], Texts]] = {
    ".txt": _read_txt,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
