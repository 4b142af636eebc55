"""Find out whether a file is safetensors or a pickle, and read its header; torch for pickles only.

Content decides, never the ending: `.pt` may be safetensors, `.safetensors` a picture.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

from clipcond.checkpoints.header import LENGTH, Header, read_header
from clipcond.checkpoints.signatures import ARCHIVE, LONGEST, OLD_PICKLES, recognise
from clipcond.errors import CheckpointError
from clipcond.files import opened

PICKLE_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin")
TORCHS = ("data.pkl", "constants.pkl", "version", "byteorder")  # members of each of its archives
# What torch's DistributedDataParallel and torch.compile put before every name.
NAME_PREFIXES = ("module.", "_orig_mod.")


def read_any_header(path: Path, *, allow_pickle: bool) -> Header:
    """Read the header of a safetensors file or, if that is allowed, of a pickle.

    Returns:
        the header; its names without `module.` or `_orig_mod.`, where all begin so.
    Raises:
        CheckpointError: not readable, another kind of file (says which), damaged, or a pickle that
            was not allowed.
    """
    found = file_format(path, allow_pickle=allow_pickle)
    if found == "old pickle":
        raise CheckpointError(
            f"{str(path)!r} is neither safetensors nor an archive of torch 1.6 or newer",
            path,
            "If it is a pickle of an older torch, save it again with safetensors.",
        )
    if found == "safetensors":
        header = read_header(path)
    else:
        from clipcond.checkpoints.pickles import read_pickle

        header = read_pickle(path)
    for prefix in NAME_PREFIXES:
        if header.entries and all(name.startswith(prefix) for name in header.entries):
            entries = {name.removeprefix(prefix): e for name, e in header.entries.items()}
            header = replace(header, entries=entries)
    return header


def file_format(path: Path, *, allow_pickle: bool) -> str:
    """Find out how a model file is written: "safetensors", "archive" of torch's, "old pickle".

    Raises:
        CheckpointError: it cannot be read, is another kind of file, or a pickle not allowed.
    """
    with opened(path) as file:
        begins = file.read(LONGEST)
    if begins[LENGTH : LENGTH + 1] == b"{":
        return "safetensors"
    if begins.startswith(ARCHIVE) and not _is_torchs(path):
        message = f"{str(path)!r} is a zip archive, and not one that torch.save wrote"
        raise CheckpointError(message, path, "Unpack it, and give the file inside.")
    is_pickle = begins.startswith((ARCHIVE, *OLD_PICKLES))
    is_unknown = (
        path.suffix.lower() in PICKLE_SUFFIXES and begins != b"" and recognise(begins) is None
    )
    if not (is_pickle or is_unknown):
        return "safetensors"  # its reader says what is wrong
    if not allow_pickle:
        raise refused_pickle(path)
    return "archive" if begins.startswith(ARCHIVE) else "old pickle"


def refused_pickle(path: Path, more: str = "") -> CheckpointError:
    """Make the error for a pickle that nobody allowed; `more` ends its remedy."""
    return CheckpointError(
        f"{str(path)!r} is a pickle, which can run code when opened",
        path,
        "Use the model's .safetensors version, or say allow_pickle=True: then torch 2.10 or "
        f"newer reads weights out of it and nothing else.{more}",
    )


def _is_torchs(path: Path) -> bool:
    """Whether a zip archive has a member that torch writes; a damaged archive may be torch's."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.rpartition("/")[2] in TORCHS for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return True
