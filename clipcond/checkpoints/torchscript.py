"""Find the tensors of a TorchScript archive, such as OpenAI's own ViT-L-14.pt, not its program.

`torch.jit.load` would compile that program and run the `__setstate__` of its classes. Here only the
archive's pickle is read, by the unpickler that torch has for `weights_only=True`, with an inert
object in place of every module of the program.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._weights_only_unpickler import Unpickler
from torch.jit import _pickle

__all__ = ["InertObject", "read_script"]

MAX_PARTS = 100_000  # modules, tensors and other attributes; OpenAI's largest model has 5,000
_LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")
_FUNCTIONS = [getattr(_pickle, name) for name in ("restore_type_tag", *_LISTS)]


class InertObject:
    """Takes the place of an object of another class: keeps its state, and does nothing."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def read_script(pickled: bytes, starts: Mapping[str, int]) -> dict[str, Tensor]:
    """Find parameters and buffers by their names in the program's modules.

    Args:
        pickled: the archive's data.pkl.
        starts: the first byte of each member of the archive, by its name there.
    Returns:
        tensors on the device "meta"; their storage's `_checkpoint_offset` is its place in the file,
        as `torch.load` notes it.
    Raises:
        Exception: of any kind; the pickle is damaged, or says more than a module's weights need.
    """
    operations = ((op.name, str(arg)) for op, arg, _ in pickletools.genops(pickled))
    names = {arg.replace(" ", ".") for op, arg in operations if op == "GLOBAL"}
    modules: list[Any] = [(InertObject, n) for n in names if n.startswith("__torch__.")]
    untyped_torch: Any = torch  # its storages have no annotations
    unpickler: Any = Unpickler(io.BytesIO(pickled), encoding="utf-8")

    def storage(pid: Any) -> Any:
        _, kind, key, _, n_values = pid
        n_bytes = n_values * kind.dtype.itemsize
        untyped = untyped_torch.UntypedStorage(n_bytes, device="meta")
        untyped._checkpoint_offset = starts.get(f"data/{key}")
        typed = untyped_torch.storage.TypedStorage
        return typed(wrap_storage=untyped, dtype=kind.dtype, _internal=True)

    unpickler.persistent_load = storage
    with torch.serialization.safe_globals([*modules, *_FUNCTIONS]):
        return dict(_tensors(unpickler.load()))


def _tensors(module: Any) -> Iterator[tuple[str, Tensor]]:
    """Tensors by their dotted names; a module that is used twice has two names."""
    waiting: list[tuple[str, Any]] = [("", module)]
    n_seen = 0
    while waiting:
        prefix, value = waiting.pop()
        n_seen += 1
        if n_seen > MAX_PARTS:
            raise ValueError("its modules have no end")
        if isinstance(value, Tensor):
            yield prefix[1:], value
        elif isinstance(value, InertObject) and isinstance(value.state, dict):
            waiting.extend((f"{prefix}.{name}", part) for name, part in value.state.items())
