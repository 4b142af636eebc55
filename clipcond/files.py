"""Read JSON, guess mistyped paths, and write files whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO

from clipcond.errors import CheckpointError, ClipcondError

__all__ = ["disk_errors", "near", "read_json", "reading", "write_whole"]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        CheckpointError: no file, not JSON, or not an object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"there is no {path.name} in {str(path.parent)!r}",
            path,
            f"A model folder holds {path.name} and model.safetensors.",
        ) from None
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read as JSON: {error}", path) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{str(path)!r} holds no JSON object", path)
    return values


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file where the system cannot read it.

    Raises:
        CheckpointError: in place of any other OSError; says why.
    """
    try:
        yield
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error.strerror}", path) from error


@contextmanager
def disk_errors(
    problem: str, failed: Callable[[str], ClipcondError] = CheckpointError
) -> Iterator[None]:
    """Turn an OSError into ours: what cannot be done, and the system's reason.

    Args:
        problem: such as "'a.txt' cannot be written".
        failed: makes the error out of the whole message.
    """
    try:
        yield
    except OSError as error:
        raise failed(f"{problem}: {error.strerror}") from error


def near(path: Path) -> str:
    """Ask "did you mean" the existing path that is most like one that does not exist."""
    parent = path.parent
    if not parent.is_dir():
        return f"There is no folder {str(parent)!r} either."
    names = [entry.name for entry in _entries(parent)]
    guess = get_close_matches(path.name, names, n=1)
    return f"Did you mean {str(parent / guess[0])!r}?" if guess else ""


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return


def write_whole(
    path: Path,
    write: Callable[[BinaryIO], object],
    failed: Callable[[str], ClipcondError] = CheckpointError,
) -> None:
    """Write a file in one piece, or leave the one that is there.

    Args:
        write: gets the open file.
        failed: makes the error out of a message that says which file and why.
    Raises:
        ClipcondError: the disk is full, or not to be written to.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch.save makes one of the other
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        reason = getattr(cause, "strerror", None) or str(cause).splitlines()[0]
        raise failed(f"{str(path)!r} cannot be written: {reason}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
