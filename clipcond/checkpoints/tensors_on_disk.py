"""Tensors that stay in their file until they are asked for, each by itself.

The file is read, not mapped: what a tower needs is all that is ever in memory, and a file that is
replaced or deleted later changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipcond.checkpoints.header import Entry
from clipcond.errors import CheckpointError

__all__ = ["StoredTensors"]


class StoredTensors(Mapping[str, Tensor]):
    """The tensors of a file by name; each access reads one anew, on the CPU.

    Args:
        path: the file.
        entries: name -> where the tensor lies (`header.read_header`, `pickles.read_pickle`).
        dtype: floating-point tensors are cast to it one by one, so that no second copy of the
            whole exists; None = as stored.
    Raises:
        CheckpointError: the file has become shorter, or cannot be read any more.
    """

    def __init__(
        self, path: Path, entries: Mapping[str, Entry], dtype: torch.dtype | None = None
    ) -> None:
        self.path = path
        self.entries = entries
        self.dtype = dtype

    def __getitem__(self, name: str) -> Tensor:
        entry = self.entries[name]
        stored = getattr(torch, entry.dtype)
        flat = self._bytes(name, entry).view(stored)
        if entry.strides is None:
            tensor = flat.reshape(entry.shape)
        else:
            tensor = flat.as_strided(entry.shape, entry.strides).contiguous()
        is_cast = self.dtype is not None and tensor.is_floating_point()
        return tensor.to(self.dtype) if is_cast else tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def _bytes(self, name: str, entry: Entry) -> Tensor:
        n_bytes = entry.stop - entry.start
        values = torch.empty(n_bytes, dtype=torch.uint8)
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(entry.start)
                n_read = _read_into(file, values.numpy())
        except OSError as error:
            message = f"{str(self.path)!r} cannot be read: {error.strerror}"
            raise CheckpointError(message, self.path) from error
        if n_read != n_bytes:
            raise CheckpointError(
                f"{str(self.path)!r} ends within {name!r}: expected {n_bytes} bytes, found "
                f"{n_read}",
                self.path,
                "It was changed while it was read.",
            )
        return values


def _read_into(file: Any, buffer: Any) -> int:
    """A system call gives at most 2 GB at once."""
    n_read = 0
    while n_read < len(buffer):
        n_more = file.readinto(buffer[n_read:])
        if not n_more:
            break
        n_read += n_more
    return n_read
