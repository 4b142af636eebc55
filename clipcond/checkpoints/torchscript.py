"""Read the pickle of an archive of torch's: tensors without values, but with their places.

The unpickler that torch has for `weights_only=True` reads it, after `check_pickle`. A TorchScript
archive, such as OpenAI's own ViT-L-14.pt, is read so too, with an inert object in place of every
module of its program; `torch.jit.load` would compile the program and run its `__setstate__`.
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

from clipcond.checkpoints.pickle_guard import check_pickle
from clipcond.locks import LOADING

MAX_PARTS = 100_000  # modules, tensors and other attributes; OpenAI's largest model has 5,000
# What the first textual inversions were saved in. Source: rinongal/textual_inversion,
# ldm/modules/embedding_manager.py, save
PARAMETERS = "torch.nn.modules.container.ParameterDict"
_LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")
_FUNCTIONS = [getattr(_pickle, name) for name in ("restore_type_tag", *_LISTS)]


class InertObject:
    """Takes the place of an object of another class: keeps its state, and does nothing."""

    state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


def unpickle(pickled: bytes, starts: Mapping[str, int]) -> object:
    """Read an archive's pickle without values.

    Args:
        pickled: the archive's data.pkl.
        starts: the first byte of each member of the archive, by its name there.
    Returns:
        what was pickled, its tensors on the device "meta"; their storage's `_checkpoint_offset` is
        its place in the file.
    Raises:
        Exception: of any kind; the pickle is damaged, or says more than weights need.
    """
    check_pickle(io.BytesIO(pickled))
    operations = ((op.name, str(arg)) for op, arg, _ in pickletools.genops(pickled))
    names = {arg.replace(" ", ".") for op, arg in operations if op == "GLOBAL"}
    is_inert = {n for n in names if n == PARAMETERS or n.startswith("__torch__.")}
    inert: list[Any] = [(InertObject, name) for name in is_inert]
    untyped_torch: Any = torch  # its storages have no annotations
    unpickler: Any = Unpickler(io.BytesIO(pickled), encoding="utf-8")

    def storage(pid: tuple[Any, ...]) -> object:
        _, kind, key, _, n_values = pid
        dtype = torch.uint8 if kind is untyped_torch.UntypedStorage else kind.dtype
        untyped = untyped_torch.UntypedStorage(n_values * dtype.itemsize, device="meta")
        untyped._checkpoint_offset = starts.get(f"data/{key}")
        typed = untyped_torch.storage.TypedStorage
        return typed(wrap_storage=untyped, dtype=dtype, _internal=True)

    unpickler.persistent_load = storage
    with LOADING, torch.serialization.safe_globals([*inert, *_FUNCTIONS]):  # of the whole process
        return unpickler.load()


def script_tensors(module: object) -> Iterator[tuple[str, Tensor]]:
    """Find parameters and buffers by their dotted names in the modules of a program.

    A module that is used twice has two names.
    """
    waiting: list[tuple[str, object]] = [("", module)]
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
