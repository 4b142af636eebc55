"""Keep the files of a run in one folder: its checkpoint, and arrays that are computed once."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipcond import __version__
from clipcond.errors import CheckpointError, TrainingError, warn
from clipcond.files import disk_errors
from clipcond.training.checkpoint import CHECKPOINT, cannot_write

BLOCK = 1 << 20  # bytes read at once
_HASH = "[0-9a-f]" * 16
# A folder that a caller names may hold more than a run's files: only these are removed.
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
    """Map n records from a file; compute and write them first if there is none, or a damaged one.

    Args:
        file: how its path begins; a hash of the keys follows.
        keys: what the records depend on besides clipcond's version, as plain JSON values.
        compute: row numbers -> those records.
        n_at_once: rows in a call of `compute`.
        advance: called with the number of rows done.
        writes: whether this process is the one that writes.
    Raises:
        TrainingError: there is no whole file and this process does not write, or the disk is full.
    """
    content = json.dumps({**keys, "n": n, "version": __version__}, sort_keys=True).encode()
    path = file.with_name(f"{file.name}-{hashlib.sha256(content).hexdigest()[:16]}.npy")
    if path.is_file() and _is_whole(path, content):
        advance(n)
    elif writes:
        if path.is_file():
            warn(f"{str(path)!r} is damaged, or has no checksum: it is made again")
        blocks = (range(i, min(i + n_at_once, n)) for i in range(0, n, n_at_once))
        for old in file.parent.glob(f"{file.name}-{_HASH}.npy"):
            with _writing(old):
                old.unlink()
        _write(path, n, map(compute, blocks), advance, hashlib.sha256(content))
    else:
        raise TrainingError(f"there is no file {str(path)!r}, or it is damaged")
    records: Records = np.load(path, mmap_mode="r")
    return records


def _is_whole(path: Path, content: bytes) -> bool:
    """Check that a file ends with the SHA-256 of these keys and of all that is before it."""
    digest = hashlib.sha256(content)
    with suppress(OSError), open(path, "rb") as file:
        left = os.fstat(file.fileno()).st_size - digest.digest_size
        while left > 0 and (block := file.read(min(left, BLOCK))):
            digest.update(block)
            left -= len(block)
        return left == 0 and file.read() == digest.digest()
    return False


def _write(
    path: Path, n: int, blocks: Iterable[Records], advance: Callable[[int], object], digest: Any
) -> None:
    """Write block after block; a file mapped for writing would kill the process on a full disk.

    Args:
        digest: of the keys; that of the whole file follows the array, where NumPy does not look.
    """
    part = path.with_name(f".{path.stem}.part")

    def write(content: bytes) -> None:
        digest.update(content)
        left = memoryview(content)
        while left:  # a disk that fills up takes a part, and refuses the next
            left = left[file.write(left) :]

    with _writing(path):
        file = open(part, "wb", buffering=0)  # noqa: SIM115
    with file:
        is_empty = True
        for block in blocks:
            with _writing(path):
                if is_empty:
                    write(_header(block.dtype, (n, *block.shape[1:])))
                write(block.tobytes())
            is_empty = False
            advance(len(block))
        with _writing(path):
            write(digest.digest())
            os.fsync(file.fileno())
    with _writing(path):
        os.replace(part, path)


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    header, descr = io.BytesIO(), np.lib.format.dtype_to_descr(dtype)
    kind = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, kind)
    return header.getvalue()


def _writing(path: Path) -> AbstractContextManager[None]:
    return disk_errors(f"{str(path)!r} cannot be written", cannot_write)


def check_absent(output: Path, *, overwrite: bool) -> None:
    """Refuse an output that exists, before hours of training.

    Raises:
        CheckpointError: it exists, and may not be replaced.
    """
    if output.exists() and not overwrite:
        message = f"{str(output)!r} is there already"
        raise CheckpointError(message, output, "Name another, or say overwrite=True.")


def remove_run(folder: Path) -> None:
    """Remove the files of runs from a folder, and the folder if nothing else is in it."""
    for pattern in _RUN_FILES:
        for path in folder.glob(pattern):
            with suppress(OSError):
                path.unlink()
    with suppress(OSError):  # not empty
        folder.rmdir()
