"""Read files of pairs: the teacher's text, the tower's text, and perhaps a picture's path.

A pair that cannot be used is skipped and reported by its line; too many of them are an error.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from clipcond.errors import PairsError, excerpt, printable
from clipcond.files import disk_errors, local_path
from clipcond.tables import NOT_UTF_8, BadRow
from clipcond.training.pair_files import READERS, SHAPES, Columns
from clipcond.training.settings import check_settings, check_whole

MAX_BAD_SHARE, MIN_BAD = 0.01, 10
N_SHOWN = 5
HELD_OUT_EVERY = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts of one meaning, the picture's path or None, and the line they came from."""

    teacher: str
    tower: str
    image: Path | None
    line: int


@dataclass(frozen=True, slots=True)
class BadPair:
    """The number of a line that cannot be used, and the reason."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """The usable pairs of a file, and the lines that were skipped.

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

    def fingerprint(self) -> str:
        """Compute the SHA-256 of the usable pairs, in hexadecimal."""
        return hashlib.sha256(repr(self.pairs).encode()).hexdigest()

    def without(self, bad: Iterable[BadPair]) -> Pairs:
        """Remove some more pairs that cannot be used.

        Raises:
            PairsError: as for `check`.
        """
        more = {each.line: each for each in bad}
        kept = tuple(pair for pair in self.pairs if pair.line not in more)
        every = tuple(sorted((*self.bad, *more.values()), key=lambda each: each.line))
        return replace(self, pairs=kept, bad=every).check()

    def check(self) -> Pairs:
        """Return these pairs if enough of them can be used.

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
            remedy = "Mend the file, or allow more with max_bad=."
            if not self.pairs:
                remedy = SHAPES.get(self.path.suffix.lower(), "")
            if all(each.reason.startswith(NOT_UTF_8) for each in self.bad[:N_SHOWN]):
                remedy = "Save the file as UTF-8."
            raise PairsError(
                f"{str(self.path)!r}: {len(self.bad)} of {self.n_lines} lines cannot be "
                f"used{allowed}\n{self.describe_bad()}".rstrip(),
                remedy,
            )
        return self

    def describe_bad(self, most: int = N_SHOWN) -> str:
        """Write one line of text for each of the first bad lines."""
        lines = [f"  line {each.line}: {each.reason}" for each in self.bad[:most]]
        if len(self.bad) > most:
            lines.append(f"  and {len(self.bad) - most} more")
        return "\n".join(lines)

    def split(self, max_held_out: int) -> tuple[list[int], list[int]]:
        """List the numbers of pairs to train on, and of one in HELD_OUT_EVERY to measure on.

        Held-out pairs are spread over the file, which may be sorted.
        """
        n = len(self.pairs)
        n_held_out = min(max_held_out, n // HELD_OUT_EVERY)
        held_out = [i * n // n_held_out for i in range(n_held_out)]
        return sorted(set(range(n)).difference(held_out)), held_out


def read_pairs(
    path: str | Path, columns: Columns | None = None, *, max_bad: int | None = None
) -> Pairs:
    """Read a file of pairs; bad ones are skipped.

    A pair is bad if a text is missing or empty, the number of columns is wrong, the line is not
    UTF-8, no JSON object or too long, or its picture does not exist.

    Args:
        path: a .tsv, .jsonl or .parquet file. Paths of pictures in it are relative to its folder.
        columns: their names, where they are not `teacher`, `tower` and `image`.
        max_bad: how many bad pairs are skipped; None = 1 % of the lines, or 10 if that is more.
    Raises:
        PairsError: not a file of a known kind, a column is missing, too many bad pairs.
        ArgumentError: `columns` is no Columns.
        TrainingError: `max_bad` is no number of lines.
    """
    path, columns = local_path(path, PairsError), check_settings("columns", columns, Columns)
    if max_bad is not None:
        check_whole("max_bad", max_bad, 0)
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
    with disk_errors(f"{str(path)!r} cannot be read", PairsError):
        for line, row in reader(path, columns):
            try:
                if isinstance(row, BadRow):
                    raise row
                pairs.append(_make_pair(line, row, columns, path.parent))
            except BadRow as error:
                bad.append(BadPair(line, printable(str(error))))
    return Pairs(path, tuple(pairs), tuple(bad), max_bad).check()


def read_captions(
    path: str | Path,
    *,
    image_column: str | None = None,
    text_column: str | None = None,
    max_bad: int | None = None,
) -> Pairs:
    """Read a file of pictures and captions: columns `image` and `text`, or a .tsv of these two.

    Raises:
        PairsError: as for `read_pairs`.
    """
    columns = Columns(
        teacher=image_column,
        tower=text_column,
        image=image_column,
        defaults=("image", "text", "image"),
        labels=("its picture", "its caption"),
        options="image_column=, text_column=",
    )
    return read_pairs(path, columns, max_bad=max_bad)


def check_pictures(pairs: Pairs) -> None:
    """Refuse captions without a picture.

    Raises:
        PairsError: there are some.
    """
    if any(pair.image is None for pair in pairs.pairs):
        raise PairsError(f"{str(pairs.path)!r} holds captions without a picture")


def _make_pair(line: int, row: Mapping[str, object], columns: Columns, folder: Path) -> Pair:
    first, second = (
        _check_text(row, label, name)
        for label, name in zip(columns.labels, columns.names, strict=False)
    )
    image = row.get(columns.names[2])
    if image is None or image == "":
        return Pair(first, second, None, line)
    if not isinstance(image, str):
        raise BadRow(f"its picture is no path: {excerpt(repr(image))}")
    image_path = folder / os.path.expanduser(image)
    if not os.path.isfile(image_path):  # False for what no system can look up
        raise BadRow(f"there is no picture {excerpt(image)!r}")
    return Pair(first, second, image_path, line)


def _check_text(row: Mapping[str, object], label: str, name: str) -> str:
    value = row.get(name)
    if value is None:
        others = ", ".join(str(key) for key in row) or "nothing"
        raise BadRow(f"{label} is missing: no {name!r} (found: {excerpt(others)})")
    if not isinstance(value, str):
        raise BadRow(f"{label} is no text: {excerpt(repr(value))}")
    if not value.strip():
        raise BadRow(f"{label} is empty")
    if "\ufffd" in value:
        raise BadRow(f"{label} was decoded wrongly: it holds U+FFFD")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadRow(f"{label} holds half of a character, a lone surrogate")
    if "\0" in value:
        raise BadRow(f"{label} holds a zero byte")
    return value.strip()
