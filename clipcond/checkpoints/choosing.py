"""From a path to a header, and from a header to one of its towers; torch only where it must be."""

from __future__ import annotations

from pathlib import Path

from clipcond.checkpoints.contents import contents, told
from clipcond.checkpoints.header import Header, read_header
from clipcond.checkpoints.layouts import LAYOUTS, FoundTower, find_towers, listed
from clipcond.errors import CheckpointError

__all__ = ["FILE_KINDS", "choose", "read_any"]

FILE_KINDS = tuple(dict.fromkeys(layout.kind for layout in LAYOUTS))
PICKLES = (".pt", ".pth", ".ckpt", ".bin")
ARCHIVE = b"PK\x03\x04"


def read_any(path: Path, *, allow_pickle: bool = False) -> Header:
    """The header of a safetensors file or, if that is allowed, of a pickle.

    What a file is tells its content: a pickle may be called .safetensors.

    Raises:
        CheckpointError: not readable, damaged, or a pickle that was not allowed.
    """
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error.strerror}", path) from error
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


def choose(header: Header, part: int | None, kind: str | None) -> FoundTower:
    """The tower that is meant.

    Args:
        part: its number in the file; None = the only one.
        kind: what it must be; None = anything.
    Raises:
        CheckpointError: there is none, or which of several is open.
    """
    path, towers = header.path, find_towers(header)
    if not towers:
        raise CheckpointError(
            f"{str(path)!r} holds no text tower", path, f"It holds {told(contents(header))}."
        )
    meant = [t for t in towers if part in (None, t.part) and kind in (None, t.layout.kind)]
    if len(meant) == 1:
        return meant[0]
    n_towers = "one text tower" if len(towers) == 1 else f"{len(towers)} text towers"
    if meant:
        raise CheckpointError(
            f"{str(path)!r} holds {n_towers}: {listed(towers)}",
            path,
            f"Say which: part={meant[0].part} or part={meant[1].part}, or '{path.name}"
            f"#{meant[0].part}'.",
        )
    wanted = "" if part is None else f" #{part}"
    wanted += "" if kind is None else f" of kind {kind!r}"
    raise CheckpointError(
        f"{str(path)!r} has no text tower{wanted}",
        path,
        f"It holds {n_towers}: {listed(towers)} (kind {', '.join(t.layout.kind for t in towers)}).",
    )
