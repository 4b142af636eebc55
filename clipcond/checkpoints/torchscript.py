"""Where the tensors of a TorchScript archive lie, such as OpenAI's own ViT-L-14.pt.

`torch.jit.load` would build the program that such an archive is. Its pickle alone says which
tensors there are, in a few of the pickle format's instructions. Those are interpreted here, with
inert stand-ins for every class of the program; any other instruction or name is refused.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from clipcond.checkpoints.header import Entry
from clipcond.errors import CheckpointError, excerpt

__all__ = ["read_script"]

MAX_PARTS = 100_000  # modules, tensors and other attributes; OpenAI's largest model has 5,000
# torch's typed storages: their numbers' name in torch, bytes of one.
STORAGES = {
    "DoubleStorage": ("float64", 8),
    "FloatStorage": ("float32", 4),
    "HalfStorage": ("float16", 2),
    "BFloat16Storage": ("bfloat16", 2),
    "LongStorage": ("int64", 8),
    "IntStorage": ("int32", 4),
    "ShortStorage": ("int16", 2),
    "CharStorage": ("int8", 1),
    "ByteStorage": ("uint8", 1),
    "BoolStorage": ("bool", 1),
}
# What torch.jit.save writes (torch/csrc/jit/serialization/pickler.h); none of them sizes anything.
INSTRUCTIONS = {
    *(pickle.PROTO, pickle.STOP, pickle.MARK, pickle.GLOBAL, pickle.REDUCE, pickle.NEWOBJ),
    *(pickle.BUILD, pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET, pickle.LONG_BINGET),
    *(pickle.BINPERSID, pickle.BINUNICODE, pickle.SHORT_BINSTRING, pickle.BININT),
    *(pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.BINFLOAT, pickle.NONE),
    *(pickle.NEWTRUE, pickle.NEWFALSE, pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1),
    *(pickle.TUPLE2, pickle.TUPLE3, pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS),
    *(pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS),
}


@dataclass(frozen=True, slots=True)
class _Storage:
    dtype: str
    n_each: int
    key: str


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    first: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Module:
    """Stands in for every class of the program; holds attributes and does nothing."""

    __slots__ = ("state",)
    state: Any


def _new(reader: Any) -> None:
    arguments, kind = reader.stack.pop(), reader.stack.pop()
    if kind is not _Module or arguments:
        raise pickle.UnpicklingError("it makes an object that is no module")
    reader.append(_Module())


def _build(reader: Any) -> None:
    state, module = reader.stack.pop(), reader.stack[-1]
    if type(module) is not _Module or type(state) is not dict:
        raise pickle.UnpicklingError("it sets attributes of what is no module")
    module.state = state


class _Reader(pickle._Unpickler):
    """Python's own unpickler with few instructions and no names but those below.

    The one written in C is not used: it makes room for as many values as an instruction claims.
    """

    dispatch: ClassVar = {
        code: step
        for code, step in pickle._Unpickler.dispatch.items()
        if bytes([code]) in INSTRUCTIONS
    }
    dispatch.update({pickle.NEWOBJ[0]: _new, pickle.BUILD[0]: _build})

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            return _Module
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if (module, name) in _STAND_INS:
            return _STAND_INS[module, name]
        raise pickle.UnpicklingError(f"it names {excerpt(f'{module}.{name}')}")

    def persistent_load(self, pid: Any) -> _Storage:
        _, (dtype, n_each), key, *_ = pid
        return _Storage(dtype, n_each, str(key))


def _tensor(storage: _Storage, first: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, first, tuple(shape), tuple(strides))


def _same(value: Any, *_: Any) -> Any:
    return value


_LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")
_STAND_INS: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _same,
    ("collections", "OrderedDict"): dict,
    ("torch.jit._pickle", "restore_type_tag"): _same,
    **{("torch.jit._pickle", name): _same for name in _LISTS},
}


def read_script(
    path: Path, inner: bytes, places: Mapping[str, tuple[int, int]]
) -> dict[str, Entry]:
    """Parameters and buffers of the program by their names in its modules.

    Args:
        path: the archive, for messages.
        inner: its data.pkl.
        places: bytes [start, stop) of its members, by their names in it.
    Raises:
        CheckpointError: the pickle says anything that a module's weights do not need, or puts a
            tensor outside its member.
    """
    try:
        found = _flat(_Reader(io.BytesIO(inner)).load())
        return {name: _entry(name, tensor, places) for name, tensor in found.items()}
    except Exception as error:  # a forged pickle can make the interpreter stumble anywhere
        raise CheckpointError(
            f"{str(path)!r} is a TorchScript archive whose tensors cannot be read without running "
            f"it: {excerpt(str(error) or type(error).__name__, 200)}",
            path,
            "Where you trust it: torch.jit.load(path, map_location='cpu').state_dict(), saved with "
            "safetensors.torch.save_file.",
        ) from error


def _flat(module: Any) -> dict[str, _Tensor]:
    """Tensors by their dotted names; a module that stands in two places is named twice."""
    found: dict[str, _Tensor] = {}
    waiting: list[tuple[str, Any]] = [("", module)]
    n_seen = 0
    while waiting:
        prefix, value = waiting.pop()
        n_seen += 1
        if n_seen > MAX_PARTS:
            raise ValueError("its modules have no end")
        if isinstance(value, _Tensor):
            found[prefix[1:]] = value
        elif isinstance(value, _Module):
            state = getattr(value, "state", {})
            waiting.extend((f"{prefix}.{name}", part) for name, part in state.items())
    return found


def _entry(name: str, tensor: _Tensor, places: Mapping[str, tuple[int, int]]) -> Entry:
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    numbers = (tensor.first, *shape, *strides)
    if len(shape) != len(strides) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError(f"{name!r} has a size that is no number")
    if not math.prod(shape):
        return Entry(storage.dtype, shape, 0, 0)
    first, end = places[f"data/{storage.key}"]
    n_values = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    start = first + tensor.first * storage.n_each
    stop = start + n_values * storage.n_each
    if stop > end:
        raise ValueError(f"{name!r} needs {stop - start} bytes, found {max(0, end - start)}")
    is_plain = strides == _plain_strides(shape)
    return Entry(storage.dtype, shape, start, stop, None if is_plain else strides)


def _plain_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
