"""Write and read a run's checkpoint, with a checksum of everything it holds."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipcond.errors import TrainingError, first_line
from clipcond.files import write_whole

CHECKPOINT = "checkpoint.pt"
_CHECKSUM = "sha256"
# The parts of a checkpoint, and those that it has within a stage.
_PARTS: dict[str, Callable[[Any], bool]] = {
    "keys": lambda found: isinstance(found, Mapping),
    "stage": lambda found: found is None or isinstance(found, str),
    "step": lambda found: type(found) is int and found >= 0,
    "model": lambda found: isinstance(found, Mapping),
    "finished": lambda found: isinstance(found, Mapping) and all(map(_are_finite, found.values())),
    "seconds": lambda found: isinstance(found, float) and 0 <= found < math.inf,
}
_STAGE_PARTS: dict[str, Callable[[Any], bool]] = {
    "optimizer": lambda found: isinstance(found, Mapping),
    "average": lambda found: _are_all(found, Tensor),
    "objective": lambda found: _are_all(found, Mapping),
    "smoothed": lambda found: _are_finite(found),
    "scaler": lambda found: found is None or isinstance(found, Mapping),
}


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state and its checksum.

    Raises:
        TrainingError: the disk is full, or not to be written to.
    """
    whole = {**state, _CHECKSUM: _digest(state)}
    write_whole(path, lambda file: torch.save(whole, file), cannot_write)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read the state that `write_checkpoint` wrote; {} if there is no file.

    Raises:
        TrainingError: it is damaged, lacks its checksum or a part, or cannot be read.
    """
    if not os.path.lexists(path):
        return {}
    with resuming(path):
        if not path.is_file():
            raise ValueError("it is no file")
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or _CHECKSUM not in state:
            raise ValueError("it has no checksum, as those of older versions")
        if state.pop(_CHECKSUM) != _digest(state):
            raise ValueError("it is damaged, its checksum is another")
        _check_state(state)
    return state


def _check_state(state: Mapping[str, Any]) -> None:
    """Check that a state has all its parts.

    Raises:
        ValueError: names the first that is missing or not what it should be.
    """
    parts = _PARTS if state.get("stage") is None else {**_PARTS, **_STAGE_PARTS}
    for name, is_right in parts.items():
        if name not in state:
            raise ValueError(f"its {name!r} is missing")
        if not is_right(state[name]):
            raise ValueError(f"its {name!r} is not what it should be")


@contextmanager
def resuming(path: Path) -> Iterator[None]:
    """Name the checkpoint where a run cannot go on from it.

    Raises:
        TrainingError: in place of any other error; says why.
    """
    try:
        yield
    except TrainingError:
        raise
    except Exception as error:  # torch.load fails with a dozen kinds
        raise TrainingError(
            f"the checkpoint {str(path)!r} cannot be read: {first_line(error)}",
            "Delete it to start over, or name another folder with run=.",
        ) from error


def cannot_write(message: str) -> TrainingError:
    """Make the error for a file that cannot be written, with a remedy."""
    return TrainingError(message, "Make room: the same command goes on where it stopped.")


def _digest(state: object) -> str:
    """Compute the SHA-256 of tensors, numbers and text in mappings and lists."""
    digest = hashlib.sha256()

    def add(value: object) -> None:
        if isinstance(value, Tensor):
            digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
            flat = value.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().data)
        elif isinstance(value, Mapping):
            digest.update(b"{")
            for key, each in value.items():
                digest.update(repr(key).encode())
                add(each)
            digest.update(b"}")
        elif isinstance(value, (list, tuple)):
            digest.update(b"[")
            for each in value:
                add(each)
            digest.update(b"]")
        else:
            digest.update(repr(value).encode() + b";")

    add(state)
    return digest.hexdigest()


def _are_all(found: object, kind: type) -> bool:
    return isinstance(found, list) and all(isinstance(each, kind) for each in found)


def _are_finite(found: object) -> bool:
    return isinstance(found, Mapping) and all(
        isinstance(value, float) and math.isfinite(value) for value in found.values()
    )
