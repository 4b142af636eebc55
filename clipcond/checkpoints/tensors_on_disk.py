"""Tensors that stay in their file until each of them is asked for.

The file is read, not mapped, so that only what a tower needs is ever in memory, and a file that is
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
from clipcond.files import reading


class StoredTensors(Mapping[str, Tensor]):
    """The tensors of a file by name; each access reads the tensor from the file, onto the CPU.

    Args:
        path: the file.
        entries: name -> where the tensor is (`header.read_header`, `pickles.read_pickle`).
    Raises:
        CheckpointError: the file has become shorter, or cannot be read any more.
    """

    def __init__(self, path: Path, entries: Mapping[str, Entry]) -> None:
        self.path = path
        self.entries = entries

    def __getitem__(self, name: str) -> Tensor:
        entry = self.entries[name]
        dtype = getattr(torch, entry.dtype, None)
        if dtype is None:
            message = f"{str(self.path)!r}: {name!r} is of {entry.dtype}, which torch cannot read"
            raise CheckpointError(message, self.path, "Use the model's float16 version.")
        flat = self._bytes(name, entry).view(dtype)
        if entry.strides is None:
            return flat.reshape(entry.shape)
        return flat.as_strided(entry.shape, entry.strides).contiguous()

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def _bytes(self, name: str, entry: Entry) -> Tensor:
        n_bytes = entry.stop - entry.start
        values = torch.empty(n_bytes, dtype=torch.uint8)
        buffer: Any = values.numpy()
        with reading(self.path), self.path.open("rb") as file:
            file.seek(entry.start)
            n_read = file.readinto(buffer)
        if n_read != n_bytes:
            raise CheckpointError(
                f"{str(self.path)!r} ends within {name!r}: expected {n_bytes} bytes, found "
                f"{n_read}",
                self.path,
                "It was changed while it was read.",
            )
        return values
