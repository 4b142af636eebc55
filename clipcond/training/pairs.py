"""Files of pairs: what the teacher reads, what the new tower reads, and perhaps a picture.

    .tsv      two columns, teacher's text and tower's, perhaps a third with a picture's path; or a
              first line that names the columns, in any order and among others
    .jsonl    one JSON object a line
    .parquet  one row a pair (needs pyarrow)

Columns are called `teacher`, `tower` and `image` unless said otherwise. A pair that cannot be used
is skipped and named by its line; too many of them are an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from clipcond.errors import PairsError, excerpt, printable
from clipcond.training.tables import NOT_UTF_8, READERS, Bad, Columns

__all__ = ["BadPair", "Columns", "Pair", "Pairs", "read_pairs"]

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
        if not self.n_lines:
            raise PairsError(f"{str(self.path)!r} holds no pairs")
        if len(self.bad) > limit or not self.pairs:
            allowed = f"; {limit} may be" if self.pairs else ""
            raise PairsError(
                f"{str(self.path)!r}: {len(self.bad)} of {self.n_lines} lines cannot be "
                f"used{allowed}\n{self.told()}".rstrip(),
                self._remedy(),
            )
        return self

    def _remedy(self) -> str:
        if self.bad and all(each.reason.startswith(NOT_UTF_8) for each in self.bad[:SHOWN]):
            return "Save the file as UTF-8."
        return "Mend the file, or allow more with --max-bad." if self.pairs else ""

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
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise PairsError(
            f"{str(path)!r}: pairs are read from {', '.join(READERS)} files",
            "A .tsv has two columns: the teacher's text and the tower's.",
        )
    pairs: list[Pair] = []
    bad: list[BadPair] = []
    for line, found in reader(path, columns):
        try:
            if isinstance(found, Bad):
                raise found
            pairs.append(_pair(line, found, columns, path.parent))
        except Bad as error:
            bad.append(BadPair(line, printable(str(error))))
    return Pairs(path, tuple(pairs), tuple(bad), max_bad).checked()


def _pair(line: int, row: Mapping[str, object], columns: Columns, folder: Path) -> Pair:
    texts: list[str] = []
    for side, name in zip(columns.sides, columns.names[:2], strict=True):
        value = row.get(name)
        if value is None:
            others = ", ".join(str(key) for key in row) or "nothing"
            raise Bad(f"{side} is missing: no {name!r} (found: {excerpt(others)})")
        if not isinstance(value, str):
            raise Bad(f"{side} is no text: {excerpt(repr(value))}")
        if not value.strip():
            raise Bad(f"{side} is empty")
        if "\ufffd" in value:
            raise Bad(f"{side} was decoded wrongly: it holds U+FFFD")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise Bad(f"{side} holds half of a character, a lone surrogate")
        if "\0" in value:
            raise Bad(f"{side} holds a zero byte")
        texts.append(value.strip())
    return Pair(texts[0], texts[1], _image(row.get(columns.names[2]), folder), line)


def _image(value: object, folder: Path) -> Path | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Bad(f"its picture is no path: {excerpt(repr(value))}")
    image = folder / Path(value).expanduser()
    if not image.is_file():
        raise Bad(f"there is no picture {excerpt(value)!r}")
    return image
