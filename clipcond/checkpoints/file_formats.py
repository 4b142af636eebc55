"""Tell safetensors files from pickles, and read the header of either; torch only for a pickle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clipcond.checkpoints.header import Header, read_header
from clipcond.errors import CheckpointError
from clipcond.files import reading

__all__ = ["PICKLES", "read_any_header"]

PICKLES = (".pt", ".pth", ".ckpt", ".bin")
ARCHIVE = b"PK\x03\x04"
PARALLEL = "module."  # what torch's DistributedDataParallel puts before every name


def read_any_header(path: Path, *, allow_pickle: bool = False) -> Header:
    """Read the header of a safetensors file or, if that is allowed, of a pickle.

    The content decides which it is: a pickle may be called .safetensors.

    Returns:
        the header; its names without `module.`, where all begin so.
    Raises:
        CheckpointError: not readable, damaged, or a pickle that was not allowed.
    """
    header = _read(path, allow_pickle=allow_pickle)
    if header.entries and all(name.startswith(PARALLEL) for name in header.entries):
        entries = {name.removeprefix(PARALLEL): entry for name, entry in header.entries.items()}
        return replace(header, entries=entries)
    return header


def _read(path: Path, *, allow_pickle: bool) -> Header:
    with reading(path), path.open("rb") as file:
        start = file.read(9)
    is_archive = start.startswith(ARCHIVE)
    is_pickle = is_archive or (path.suffix.lower() in PICKLES and start[8:] != b"{")
    if not is_pickle:
        return read_header(path)
    if not allow_pickle:
        raise CheckpointError(
            f"{str(path)!r} is a pickle, which can run code when opened",
            path,
            "Use the model's .safetensors version, or say allow_pickle=True (--allow-pickle): then "
            "torch 2.10 or newer reads weights out of it and nothing else.",
        )
    if not is_archive:
        raise CheckpointError(
            f"{str(path)!r} is neither safetensors nor an archive of torch 1.6 or newer",
            path,
            "If it is a pickle of an older torch, save it again with safetensors.",
        )
    from clipcond.checkpoints.pickles import read_pickle

    return read_pickle(path)
