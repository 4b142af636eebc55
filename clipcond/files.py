"""Open files and JSON safely, and write files and folders whole or not at all."""

from __future__ import annotations

import codecs
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from tempfile import mkdtemp
from threading import get_ident
from typing import Any, BinaryIO, cast

from clipcond.encodings import decode_utf_8
from clipcond.errors import CheckpointError, ClipcondError, excerpt, first_line

MOST_JSON = MOST_TEXT = 64 * 2**20  # bytes; the largest index of a model's parts has 2 MB


def local_path(source: object, failed: Callable[[str], ClipcondError] = CheckpointError) -> Path:
    """Make a path of what a caller gave as one, with `~` resolved; it need not exist.

    Args:
        failed: makes the error out of a message.
    Raises:
        ClipcondError: it is no string or path, or no file system can have such a name.
    """
    if not isinstance(source, str | os.PathLike) or isinstance(os.fspath(source), bytes):
        kind = type(source).__name__
        raise failed(f"a file or folder is named by a string or a path, not by {kind}")
    if not os.fspath(source):  # pathlib would take it for the folder one is in
        raise failed("a file or folder has a name, not ''")
    path = Path(source)
    try:
        path = path.expanduser()
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return path
    except (OSError, ValueError, RuntimeError) as error:  # too long, NUL, ~nosuchuser
        why = getattr(error, "strerror", None) or str(error)
        raise failed(f"{excerpt(os.fspath(source), 200)!r} cannot be a path: {why}") from error
    return path


def is_file(path: Path) -> bool:
    """Whether a regular file has this path; False too for names that no file can have."""
    return os.path.isfile(path)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to read bytes; a pipe or a device would wait for ever.

    Raises:
        CheckpointError: no regular file, or the system cannot read it; in place of any OSError.
    """
    with reading(path):
        try:
            mode = path.stat().st_mode
        except ValueError as error:  # a NUL in the name
            raise OSError(None, str(error)) from error
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
            raise CheckpointError(f"{str(path)!r} is {kind}, not a file", path)
        with path.open("rb", buffering=0) as file:
            yield cast(BinaryIO, file)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        CheckpointError: no file, not JSON, or not an object.
    """
    if not os.path.lexists(path):
        raise CheckpointError(
            f"there is no {path.name} in {str(path.parent)!r}",
            path,
            f"A model folder holds {path.name} and model.safetensors.",
        )
    with opened(path) as file:
        raw = file.read(MOST_JSON + 1)
    try:
        if len(raw) > MOST_JSON:
            raise ValueError(f"it has more than {MOST_JSON} bytes")
        values = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        message = f"{str(path)!r} cannot be read as JSON: {excerpt(str(error), 200)}"
        raise CheckpointError(message, path) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{str(path)!r} holds no JSON object", path)
    return values


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, or in UTF-16 with its byte order; lines end in newlines.

    Raises:
        CheckpointError: no file, larger than 64 MB, or another encoding; says in which line.
    """
    with opened(path) as file:
        content = file.read(MOST_TEXT + 1)
    if len(content) > MOST_TEXT:
        raise CheckpointError(f"{str(path)!r} has more than {MOST_TEXT:,} bytes", path)
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16") if is_utf_16 else decode_utf_8(content)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"{str(path)!r}, line {line} is no UTF-8"
        raise CheckpointError(message, path, "Save it as UTF-8.") from None
    return text.replace("\r\n", "\n")


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
        why = error.strerror or str(error)
        shown = excerpt(str(path), 200)
        raise CheckpointError(f"{shown!r} cannot be read: {why}", path) from error


@contextmanager
def disk_errors(
    problem: str, failed: Callable[[str], ClipcondError] = CheckpointError
) -> Iterator[None]:
    """Turn what the system refuses into one of our errors: the problem and the system's reason.

    Args:
        problem: such as "'a.txt' cannot be written".
        failed: makes the error out of the whole message.
    """
    try:
        yield
    except Exception as error:
        reason = _disk_reason(error)
        if reason is None:
            raise
        raise failed(f"{problem}: {reason}") from error


def _disk_reason(error: Exception) -> str | None:
    """Find the system's reason for an error, also where a library's error hides it, or None."""
    for each in (error, error.__cause__, error.__context__):
        if isinstance(each, ClipcondError):
            return None
        if isinstance(each, OSError):
            return each.strerror or str(each) or type(each).__name__
        # libraries written in Rust: safetensors, tokenizers
        number = re.search(r"\(os error (\d+)\)", str(each))
        if number:
            return os.strerror(int(number[1]))
    return None


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; remove the new ones if an error leaves them empty.

    Raises:
        CheckpointError: it cannot be made.
    """
    new = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        with disk_errors(f"{str(folder)!r} cannot be made"):
            folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):
            for each in new:
                each.rmdir()
        raise


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder whose files replace those of `folder` once all are written.

    Raises:
        CheckpointError: a file or folder cannot be written. Until all are, `folder` stays as it
            was; an error while they replace others, one by one, can leave some replaced.
    """
    with new_folder(folder), disk_errors(f"{str(folder)!r} cannot be written"):
        part = Path(mkdtemp(prefix=".", suffix=".part", dir=folder))
        try:
            yield part
            for file in part.iterdir():
                os.replace(file, folder / file.name)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def near(path: Path) -> str:
    """Suggest the existing path that is most like a missing one."""
    parent = path.parent
    if not parent.is_dir():
        return f"There is no folder {str(parent)!r} either."
    names: list[str] = []
    with suppress(OSError):
        names = os.listdir(parent)
    guess = get_close_matches(path.name, names, n=1)
    return f"Did you mean {str(parent / guess[0])!r}?" if guess else ""


def part_of(path: Path) -> Path:
    """Name the file that a thread of this process writes before it becomes `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}.part")


def check_writable(path: Path) -> None:
    """Check that `write_whole` can write to a path, so that no work is lost.

    Raises:
        CheckpointError: it is a folder, is in none, or its folder cannot be written to.
    """
    if os.path.isdir(path):  # Path.is_dir raises where a name is too long
        raise CheckpointError(f"{str(path)!r} is a folder; a file name is needed", path)
    part = part_of(path)
    try:
        part.touch()  # one that a killed process left counts as its own
        part.unlink()
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} cannot be written: {error.strerror}", path) from error


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
    part = part_of(path)
    try:
        with disk_errors(f"{str(path)!r} cannot be written", failed):
            with open(part, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
    except ClipcondError:
        raise
    except RuntimeError as error:  # torch.save, if the system gave no reason
        raise failed(f"{str(path)!r} cannot be written: {first_line(error)}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
