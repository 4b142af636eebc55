"""Hold what an index knows: files, and a vector for each that could be read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from clipcond.reading.vectors import VectorTable


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A picture's file as an index knows it.

    Attributes:
        path: as it was given; absolute if it was read from a saved index.
        size: bytes.
        modified: nanoseconds since 1970.
        error: why it could not be read; None = it has a vector.
    """

    path: Path
    size: int
    modified: int
    error: str | None = None


Files = Mapping[str, IndexedFile]  # by absolute path


class IndexContents:
    """Files and their vectors.

    Attributes:
        files: by absolute path; those without an error are in the order of their rows.
        keys: the absolute path of each row.
    """

    def __init__(self, width: int) -> None:
        self.files: dict[str, IndexedFile] = {}
        self.keys: list[str] = []
        self._places: dict[str, int] = {}
        self._vectors = VectorTable(torch.empty(0, width))

    @property
    def rows(self) -> Tensor:
        """The vectors [n P]."""
        return self._vectors.rows

    def is_new(self, key: str, now: IndexedFile) -> bool:
        """Whether a file is not here, or its size or time is another."""
        old = self.files.get(key)
        return old is None or (old.size, old.modified) != (now.size, now.modified)

    def name_again(self, files: Files) -> None:
        """Let files that have not changed be called as they are called now."""
        for key, each in files.items():
            self.files[key] = replace(self.files[key], path=each.path)

    def take(self, files: Files, embeds: Tensor) -> None:
        """Keep files, and a vector [n P] for each without an error, in place of what was known."""
        good = [key for key, each in files.items() if each.error is None]
        old = [i for i, key in enumerate(good) if key in self._places]
        new = [i for i, key in enumerate(good) if key not in self._places]
        self._vectors.replace([self._places[good[i]] for i in old], embeds[old])
        self._vectors.append(embeds[new])
        for i in new:
            self._places[good[i]] = len(self.keys)
            self.keys.append(good[i])
            self.files.pop(good[i], None)  # one that was bad goes to the end, as its row does
        self.files.update(files)
        self._drop_rows({key for key, each in files.items() if each.error is not None})

    def remove(self, keys: Collection[str]) -> int:
        """Forget files; return how many were known."""
        known = self.files.keys() & keys
        self._drop_rows(known)
        for key in known:
            del self.files[key]
        return len(known)

    def _drop_rows(self, keys: Collection[str]) -> None:
        places = [self._places[key] for key in keys if key in self._places]
        if places:
            self._vectors.drop(places)
            self.keys = [key for key in self.keys if key not in keys]
            self._places = {key: i for i, key in enumerate(self.keys)}
