"""Find rows of zeros in a table of token embeddings that stays in its file, without torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from clipcond.checkpoints.header import Entry
from clipcond.files import opened

_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}  # of a value of those dtypes
_BLOCK = 1024  # rows that are read at once


class TableInFile:
    """Token embeddings [V D] that stay in their file; only zero rows are looked for."""

    def __init__(self, path: Path, entry: Entry) -> None:
        self.path, self.entry = path, entry
        n_values, size = entry.shape[1], _BYTES[entry.dtype]
        self._n_bytes = n_values * size
        # all bits but the signs, for -0.0 is zero too; the last byte of a value has its sign
        self._mask = int.from_bytes((b"\xff" * (size - 1) + b"\x7f") * n_values, "little")

    def __len__(self) -> int:
        return self.entry.shape[0]

    def blanks(self, rows: Sequence[int]) -> list[bool]:
        """Say of some rows whether all of their values are zero."""
        found: list[bool] = []
        with opened(self.path) as file:
            for first, n in _runs(rows):
                file.seek(self.entry.start + first * self._n_bytes)
                values = file.read(n * self._n_bytes)
                starts = range(0, len(values), self._n_bytes)
                parts = (values[start : start + self._n_bytes] for start in starts)
                found += [not int.from_bytes(part, "little") & self._mask for part in parts]
        return found


def _runs(rows: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Join rows that follow one another: the first of each run, and how many there are."""
    run = [rows[0], 0] if rows else [0, 0]
    for row in rows:
        if row != sum(run) or run[1] == _BLOCK:
            yield run[0], run[1]
            run = [row, 0]
        run[1] += 1
    if rows:
        yield run[0], run[1]
