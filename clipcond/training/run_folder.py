"""Keep the files of a run in one folder: its checkpoint, and arrays that are computed once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipcond.errors import CheckpointError, TrainingError
from clipcond.files import disk_errors

__all__ = [
    *("CHECKPOINT", "Records", "cannot_write", "check_absent", "load_or_compute", "remove_run"),
]

CHECKPOINT = "checkpoint.pt"
_HASH = "[0-9a-f]" * 16
# A folder named with --run may hold more than a run's files: only these are removed.
_STEMS = ("trained-*", "held_out-*", "latents", "features")
_RUN_FILES = (
    *(CHECKPOINT, f".{CHECKPOINT}.*.part"),
    *(f"{stem}-{_HASH}.npy" for stem in _STEMS),
    *(f".{stem}-{_HASH}.part" for stem in _STEMS),
)

Records = NDArray[Any]  # [n], each with fields of float16


def load_or_compute(
    file: Path,
    n: int,
    keys: Mapping[str, Any],
    compute: Callable[[range], Records],
    n_at_once: int,
    advance: Callable[[int], object],
    *,
    writes: bool,
) -> Records:
    """Map n records from a file; compute and write them first if there is none.

    Args:
        file: how its path begins; a hash of the keys follows.
        keys: what the records depend on, as plain JSON values.
        compute: row numbers -> those records.
        n_at_once: rows in a call of `compute`.
        advance: called with the number of rows done.
        writes: whether this process is the one that writes.
    Raises:
        TrainingError: there is no file and this process does not write, or the disk is full.
    """
    content = json.dumps({**keys, "n": n}, sort_keys=True).encode()
    path = file.with_name(f"{file.name}-{hashlib.sha256(content).hexdigest()[:16]}.npy")
    if path.is_file():
        advance(n)
    elif writes:
        for old in file.parent.glob(f"{file.name}-{_HASH}.npy"):
            old.unlink()
        blocks = (range(i, min(i + n_at_once, n)) for i in range(0, n, n_at_once))
        _write(path, n, map(compute, blocks), advance)
    else:
        raise TrainingError(f"there is no file {str(path)!r}")
    records: Records = np.load(path, mmap_mode="r")
    return records


def _write(path: Path, n: int, blocks: Iterable[Records], advance: Callable[[int], object]) -> None:
    """Write block after block; a file mapped for writing would kill the process on a full disk."""
    part = path.with_name(f".{path.stem}.part")
    writing = partial(disk_errors, f"{str(path)!r} cannot be written", cannot_write)
    with writing():
        file = open(part, "wb", buffering=0)  # noqa: SIM115
    with file:
        for block in blocks:
            with writing():
                if file.tell() == 0:
                    descr = np.lib.format.dtype_to_descr(block.dtype)
                    shape = (n, *block.shape[1:])
                    header = {"descr": descr, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(file, header)
                left = memoryview(block.tobytes())
                while left:  # a disk that fills up takes a part, and refuses the next
                    left = left[file.write(left) :]
            advance(len(block))
        with writing():
            os.fsync(file.fileno())
    os.replace(part, path)


def cannot_write(message: str) -> TrainingError:
    """Make the error for a file that cannot be written, with a remedy."""
    return TrainingError(message, "Make room: the same command goes on where it stopped.")


def check_absent(output: Path, *, overwrite: bool) -> None:
    """Refuse an output that exists, before hours of training.

    Raises:
        CheckpointError: it exists, and may not be replaced.
    """
    if output.exists() and not overwrite:
        message = f"{str(output)!r} is there already"
        raise CheckpointError(message, output, "Name another, or say --overwrite.")


def remove_run(folder: Path) -> None:
    """Remove the files of runs from a folder, and the folder if nothing else is in it."""
    for pattern in _RUN_FILES:
        for path in folder.glob(pattern):
            with suppress(OSError):
                path.unlink()
    with suppress(OSError):  # not empty
        folder.rmdir()
