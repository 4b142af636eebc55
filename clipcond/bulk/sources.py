"""Find text files, tables and folders of them, and from where each n-th row can be read.

.txt      a text a line
.tsv      columns by a first line that names them; or one column without such a line
.jsonl    a JSON object a line, or a string
.parquet  columns (needs pyarrow)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from clipcond.errors import BulkError, excerpt
from clipcond.files import local_path, reading
from clipcond.tables import BadRow, parquet_file, read_lines, unquoted

if TYPE_CHECKING:
    from pyarrow import DataType

_BLOCK = 2**20  # bytes
KINDS = (".txt", ".tsv", ".jsonl", ".parquet")
OTHERS = "a .txt, .tsv or .jsonl file"  # that need no pyarrow

# A file and the columns that it has -> the column of each role. () as columns: it names none, as
# .txt and .jsonl. None as the answer: what was taken for the names of columns is a first row.
Choose: TypeAlias = "Callable[[Path, Sequence[str]], Mapping[str, str] | None]"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run of rows begins: a file's number, the byte there, and the number of the line.

    In Parquet there are no bytes: `line` - 1 rows come before.
    """

    file: int = 0
    offset: int = 0
    line: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """A file of rows.

    Args:
        name: relative to the folder that was given, or the file's own.
        columns: the column of each role, such as "caption".
        header: the names of the columns: of a .tsv that has them in its first line, and of Parquet
            those that are read.
        n_lines: how many rows it has, bad ones included.
        digest: SHA-256 of its content; of Parquet, of its last 64 KiB and its size.
    """

    path: Path
    name: str
    columns: Mapping[str, str]
    header: tuple[str, ...]
    n_lines: int
    digest: str


def find_sources(
    given: str | PathLike[str], choose: Choose, *, what: str, carry: bool = False
) -> tuple[list[Source], list[Path]]:
    """Look through a file, or all of a folder and its subfolders, sorted by name.

    Args:
        choose: finds the columns that are needed.
        what: the rows are, such as "captions".
        carry: whether other columns of Parquet are read as well, if they hold text or numbers.
    Returns:
        the files, and those in the folder that are of another kind.
    Raises:
        BulkError: there are none, or one cannot be read or has no such column.
    """
    root = local_path(given, BulkError)
    others: list[Path] = []
    if root.is_dir():
        seen = sorted(path for path in root.rglob("*") if path.name[0] != ".")
        found = [path for path in seen if path.is_file() and path.suffix.lower() in KINDS]
        taken = {*found}  # links that lead nowhere are not
        others = [path for path in seen if not path.is_dir() and path not in taken]
    elif not root.is_file():
        raise BulkError(f"there is no file or folder {str(root)!r}")
    elif root.suffix.lower() in KINDS:
        found = [root]
    else:
        known = ", ".join(KINDS)
        raise BulkError(f"{str(root)!r} is none of {known}", "Name it by what it holds.")
    if not found:
        raise BulkError(f"there is no file of {what} in {str(root)!r}: {', '.join(KINDS)}")
    return [_look_through(path, root, choose, carry) for path in found], others


def _look_through(path: Path, root: Path, choose: Choose, carry: bool) -> Source:
    name = str(path.relative_to(root)) if path != root else path.name
    if path.suffix.lower() == ".parquet":
        with parquet_file(path, BulkError, OTHERS) as file:
            schema = file.schema_arrow
            own = choose(path, schema.names) or {}
            read = [*dict.fromkeys(own.values())]
            if carry:
                plain = (name for name in schema.names if _is_plain(schema.field(name).type))
                read = [*dict.fromkeys([*read, *plain])]
            return Source(
                path, name, own, tuple(read), file.metadata.num_rows, _digest_of_end(path)
            )
    header: tuple[str, ...] = ()
    if path.suffix.lower() == ".tsv":
        header = _first_line(path)
    chosen = choose(path, header)
    if chosen is None:
        header = ()
    digest, n_lines, last = hashlib.sha256(), 0, b"\n"
    with reading(path), open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            n_lines += block.count(b"\n")
            last = block[-1:]
    n_lines += (last != b"\n") - bool(header)
    return Source(path, name, chosen or {}, header, max(n_lines, 0), digest.hexdigest())


def _is_plain(kind: DataType) -> bool:
    """Whether a column of Parquet holds text or numbers, not pictures or lists."""
    from pyarrow import types

    inner = kind.value_type if types.is_dictionary(kind) else kind
    tests = ("string", "large_string", "integer", "floating", "boolean")
    return any(getattr(types, f"is_{test}")(inner) for test in tests)


def _first_line(path: Path) -> tuple[str, ...]:
    """Read the first line of a .tsv, which should name columns."""
    _, line = next(read_lines(path, BulkError), (1, BadRow("it is empty")))
    if isinstance(line, BadRow):
        raise BulkError(f"{str(path)!r}: line 1 should name columns, but {line}")
    return tuple(cell.strip() for cell in unquoted(line.split("\t")))


def find_column(
    path: Path, present: Sequence[str], wanted: Sequence[str], remedy: str
) -> str | None:
    """Find the first of some names that a file has, in their case or in another; else None.

    Raises:
        BulkError: several of its columns have that name.
    """
    found = [name for each in wanted for name in present if name == each]
    found = found or [name for each in wanted for name in present if name.lower() == each.lower()]
    if found and present.count(found[0]) > 1:
        n = present.count(found[0])
        raise BulkError(f"{str(path)!r} has {n} columns {found[0]!r}", remedy)
    return found[0] if found else None


def no_column(path: Path, present: Sequence[str], wanted: Sequence[str], remedy: str) -> BulkError:
    """Make the error of a file that has none of some columns."""
    has = excerpt(", ".join(present))
    return BulkError(
        f"{str(path)!r} has no column {' or '.join(map(repr, wanted))}; it has {has}", remedy
    )


def _digest_of_end(path: Path) -> str:
    size = path.stat().st_size
    with reading(path), open(path, "rb") as stream:
        stream.seek(max(0, size - 2**16))
        return hashlib.sha256(size.to_bytes(8, "little") + stream.read()).hexdigest()


def places_of(sources: Sequence[Source], every: int) -> list[Place]:
    """Find where every n-th row of all files is, so that work can begin there."""
    places, n_before = [], 0
    for i, source in enumerate(sources):
        wanted = range(-n_before % every, source.n_lines, every)
        n_before += source.n_lines
        if not wanted:
            continue
        if source.path.suffix.lower() == ".parquet":
            places += [Place(i, 0, row + 1) for row in wanted]
            continue
        first = has_header_line(source)
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


def has_header_line(source: Source) -> bool:
    """Whether a file's first line names its columns."""
    return bool(source.header) and source.path.suffix.lower() == ".tsv"
