"""A run's folder: arrays of what was computed once, files that are whole or not there, removal."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from clipcond.errors import TrainingError

__all__ = ["HELD_OUT", "TRAINED", "Kept", "make_folder", "remove_run", "write_whole"]

TRAINED, HELD_OUT = "trained", "held_out"
# A folder named with --run may hold more than a run's files: only these are removed.
_OURS = (
    "checkpoint.pt",
    *(f"{name}.{end}" for name in ("latents", "features") for end in ("npy", "json", "part")),
    *(f"{name}/[0-9]*-[0-9]*" for name in (TRAINED, HELD_OUT)),
    "checkpoint.part",
)


class Kept:
    """float16 arrays of n rows, and a file that says they are complete, and of what.

    Args:
        stem: of the files: `stem.json`, and `stem-name.npy` for the array of a name, `stem.npy`
            for that of "".
        keys: what the arrays depend on, as plain JSON values.
    """

    def __init__(self, folder: Path, stem: str, n: int, keys: Mapping[str, Any]) -> None:
        self.n = n
        self._folder, self._stem = folder, stem
        self._seal = folder / f"{stem}.json"
        self._keys = json.dumps({**keys, "n": n}, sort_keys=True)

    @property
    def is_whole(self) -> bool:
        return self._seal.is_file() and self._seal.read_text(encoding="utf-8") == self._keys

    def read(self, name: str = "") -> np.ndarray:
        """An array, read from disk as it is used."""
        found: np.ndarray = np.load(self._path(name), mmap_mode="r")
        return found

    @contextmanager
    def written(self) -> Iterator[Callable[[str, Tensor], None]]:
        """Yields a function that adds rows [b ...] to an array; complete when it is left.

        Rows are written one after the other: where the disk is full, a mapped file kills the
        process.

        Raises:
            TrainingError: the disk is full, or not to be written to.
        """
        files: dict[str, BinaryIO] = {}

        def add(name: str, rows: Tensor) -> None:
            try:
                if name not in files:
                    file = open(self._path(name), "wb", buffering=0)  # noqa: SIM115
                    files[name] = opened.enter_context(file)
                    _begin(files[name], (self.n, *rows.shape[1:]))
                _write(files[name], rows)
            except OSError as error:
                raise _unwritable(self._path(name), error) from error

        self._seal.unlink(missing_ok=True)
        with ExitStack() as opened:
            yield add
            for file in files.values():
                os.fsync(file.fileno())
        write_whole(self._seal, lambda file: file.write(self._keys.encode()))

    def _path(self, name: str) -> Path:
        return self._folder / (f"{self._stem}-{name}.npy" if name else f"{self._stem}.npy")


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it.

    Raises:
        TrainingError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"the folder {str(folder)!r} cannot be made: {error.strerror}"
        ) from error


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file in one piece, or leave the one that is there.

    Raises:
        TrainingError: the disk is full, or not to be written to.
    """
    part = path.with_suffix(".part")
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch.save makes one of the other
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def remove_run(folder: Path) -> None:
    """Remove what runs write to a folder, and the folder if nothing else is in it."""
    for pattern in _OURS:
        for path in folder.glob(pattern):
            with suppress(OSError):
                path.unlink()
    for each in (folder / TRAINED, folder / HELD_OUT, folder):
        with suppress(OSError):  # not empty, or not there
            each.rmdir()


def _begin(file: BinaryIO, shape: tuple[int, ...]) -> None:
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _write(file: BinaryIO, rows: Tensor) -> None:
    values: Any = rows.detach().to("cpu", torch.float16).contiguous().numpy()
    left = memoryview(values).cast("B")
    while len(left):  # a disk that fills up takes a part, and refuses the next
        left = left[file.write(left) :]


def _unwritable(path: Path, error: Exception) -> TrainingError:
    cause = error.__context__ if isinstance(error.__context__, OSError) else error
    told = getattr(cause, "strerror", None) or str(cause).splitlines()[0]
    return TrainingError(
        f"{str(path)!r} cannot be written: {told}",
        "Make room: the same command goes on where it stopped.",
    )
