"""List the tensors of a `.pt`, `.ckpt` or `.bin` file by name and place; no code in it runs.

torch 1.6 and later save a zip archive: a pickle that says which tensors there are, and their values
one after another, uncompressed. The pickle is read onto the device "meta" (`unpickle`), which gives
names, shapes and places in the file without any value; the values are read later, like those of a
safetensors file, and only those that are needed.

Why torch 2.10: `weights_only=True` could be got around before 2.6 (CVE-2025-32434) and again before
2.10 (CVE-2026-24747).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from clipcond.checkpoints.header import Entry, Header
from clipcond.checkpoints.torchscript import InertObject, script_tensors, unpickle
from clipcond.errors import CheckpointError, excerpt, first_line

Value = TypeVar("Value")

OLDEST_TORCH = (2, 10)
MAX_PICKLE = 16_000_000  # bytes of data.pkl, which says about 100 bytes a tensor
LOCAL_HEADER = 30  # bytes, with the lengths of name and extra field at 26 and 28
STATE_KEYS = ("state_dict", "model_state_dict", "model", "module")
MAX_NESTED = 4
MOST_SHARED = 4  # times the file's size, of all tensors together: some share their values
SLACK = 2**20  # bytes
REMEDY = "Use the model's .safetensors version, or convert it on a machine that may run its code."


def read_pickle(path: Path) -> Header:
    """List the tensors of an archive of torch's, TorchScript included; `state_dict` is unwrapped.

    Returns:
        the header: tensors in nested dicts by dotted names, a bare tensor by "", and as metadata
        the texts next to them.
    Raises:
        CheckpointError: torch is too old, or the file is damaged, compressed, forged, or holds
            more than tensors and plain values.
    """
    check_torch(path)
    places, pickled, is_script = _members(path)
    values = _unpickled(path, pickled, {name: start for name, (start, _) in places.items()})
    if is_script:
        tensors = dict(_script_tensors(path, values))
    else:
        values = unwrap_state_dict(values)
        if not isinstance(values, Mapping | Tensor):
            kind = "module" if isinstance(values, InertObject) else type(values).__name__
            raise CheckpointError(f"{str(path)!r} holds a {kind}, not tensors by name", path)
        tensors = dict(named_tensors(values))
    stops = dict(places.values())
    entries = {name: _entry(path, name, tensor, stops) for name, tensor in tensors.items()}
    n_bytes = path.stat().st_size
    if sum(_size(entry) for entry in entries.values()) > MOST_SHARED * n_bytes + SLACK:
        raise _damaged(path, f"its tensors unpack to more than {MOST_SHARED} times its size")
    texts = values.items() if isinstance(values, Mapping) else ()
    return Header(path, entries, {k: v for k, v in texts if type(k) is type(v) is str}, n_bytes)


def named_tensors(values: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Find the tensors in nested dicts, with dotted names."""
    if isinstance(values, InertObject):
        values = values.state.get("_parameters") if isinstance(values.state, dict) else None
    if isinstance(values, Tensor):
        yield name, values
    elif isinstance(values, Mapping) and depth <= MAX_NESTED:
        for key, value in values.items():
            yield from named_tensors(value, f"{name}.{key}" if depth else str(key), depth + 1)


def check_torch(path: Path) -> None:
    """Refuse a torch that cannot open a pickle without running code.

    Raises:
        CheckpointError: it is older than 2.10.
    """
    found = re.match(r"(\d+)\.(\d+)", torch.__version__)
    if found is None or tuple(map(int, found.groups())) < OLDEST_TORCH:
        raise CheckpointError(
            f"{str(path)!r} is a pickle, and torch {torch.__version__} cannot open one safely",
            path,
            f"Install torch {'.'.join(map(str, OLDEST_TORCH))} or newer, or use a safetensors "
            f"file.",
        )


def unwrap_state_dict(values: Value | Mapping[str, Any]) -> Value | Mapping[str, Any]:
    """Take a state dict out of whatever a training script packed it into."""
    for _ in range(MAX_NESTED):
        outer = values if isinstance(values, Mapping) else {}
        inner = next((outer[w] for w in STATE_KEYS if isinstance(outer.get(w), Mapping)), None)
        if inner is None:
            break
        values = inner
    return values


def _members(path: Path) -> tuple[dict[str, tuple[int, int]], bytes, bool]:
    """Find the bytes [start, stop) of each member, the pickle, and whether it is TorchScript's.

    torch never compresses values, so a member that unpacks to more than it is in the file is a
    forgery made to fill the memory.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            is_script = any(m.filename.endswith("/constants.pkl") for m in members)
            places = {
                member.filename.partition("/")[2]: _place(path, archive, member)
                for member in members
                # a script's sources are compressed, and nobody reads them
                if not (is_script and "/code/" in member.filename)
            }
            if "data.pkl" not in places:
                raise _damaged(path, "it holds no data.pkl")
            first = next(m for m in members if m.filename.partition("/")[2] == "data.pkl")
            pickled = archive.read(first)
    except CheckpointError:
        raise
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path, str(error)) from error
    return places, pickled, is_script


def _place(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[int, int]:
    name, size = member.filename, member.file_size
    if member.compress_type != zipfile.ZIP_STORED or size != member.compress_size:
        raise _damaged(
            path,
            f"{excerpt(name)!r} unpacks from {member.compress_size} to {size} bytes; torch stores "
            f"without compression",
        )
    if name.endswith(".pkl") and size > MAX_PICKLE:
        raise _damaged(path, f"{excerpt(name)!r} is {size} bytes, over {MAX_PICKLE}")
    stream: Any = archive.fp
    stream.seek(member.header_offset)
    local = stream.read(LOCAL_HEADER)
    if len(local) < LOCAL_HEADER:
        raise _damaged(path, f"{excerpt(name)!r} begins after its end")
    lengths = (int.from_bytes(local[i : i + 2], "little") for i in (26, 28))
    start = member.header_offset + LOCAL_HEADER + sum(lengths)
    if start + size > path.stat().st_size:
        raise _damaged(path, f"{excerpt(name)!r} goes on after its end")
    return start, start + size


def _script_tensors(path: Path, module: object) -> Iterator[tuple[str, Tensor]]:
    try:
        yield from script_tensors(module)
    except ValueError as error:
        raise _unsafe_script(path, error) from error


def _unpickled(path: Path, pickled: bytes, starts: Mapping[str, int]) -> object:
    try:
        return unpickle(pickled, starts)
    except Exception as error:  # whatever a forged pickle makes torch stumble over
        if "constants.pkl" in starts:
            raise _unsafe_script(path, error) from error
        reason = excerpt(first_line(error), 200)
        raise CheckpointError(
            f"{str(path)!r} holds more than weights, or is damaged: {reason}", path, REMEDY
        ) from error


def _unsafe_script(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{str(path)!r} is a TorchScript archive whose tensors cannot be read without running "
        f"it: {excerpt(first_line(error), 200).partition('. ')[0]}",
        path,
        "Where you trust it: torch.jit.load(path, map_location='cpu').state_dict(), saved with "
        "safetensors.torch.save_file.",
    )


def _size(entry: Entry) -> int:
    dtype: torch.dtype = getattr(torch, entry.dtype)
    return entry.n_values * dtype.itemsize


def _entry(path: Path, name: str, tensor: Tensor, stops: Mapping[int, int]) -> Entry:
    """Find a tensor's values, which must be within one member of the archive.

    Args:
        stops: the end of each member, by its beginning.
    """
    shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_quantized:
        kind = "quantized" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
        message = f"{str(path)!r}: {excerpt(name)!r} is no plain tensor but {kind}"
        raise CheckpointError(message, path, "Save it with .to_dense() or .dequantize().")
    if not tensor.numel():
        return Entry(dtype, shape, 0, 0)
    storage = tensor.untyped_storage()
    if not hasattr(storage, "_checkpoint_offset"):  # `unpickle` notes it
        message = f"{str(path)!r}: {excerpt(name)!r} has no values, only a shape"
        raise CheckpointError(message, path, "It was saved from the device 'meta'.")
    n_values = 1 + sum((n - 1) * s for n, s in zip(shape, tensor.stride(), strict=True))
    first: int | None = storage._checkpoint_offset
    start = (first or 0) + int(tensor.storage_offset()) * tensor.element_size()
    stop = start + n_values * tensor.element_size()
    if first is None or first not in stops or stop > stops[first]:
        found = stops.get(first or 0, start) - start
        raise _damaged(
            path,
            f"{excerpt(name, 120)!r} is {list(shape)} of {dtype}, expected {stop - start} bytes, "
            f"found {max(0, found)}",
        )
    if tensor.numel() * tensor.element_size() > stops[first] - first:
        raise _damaged(
            path,
            f"{excerpt(name, 120)!r} repeats its values: {list(shape)} of {dtype} out of "
            f"{stops[first] - first} bytes",
        )
    strides = None if tensor.is_contiguous() else tuple(tensor.stride())
    return Entry(dtype, shape, start, stop, strides)


def _damaged(path: Path, why: str) -> CheckpointError:
    message = f"{str(path)!r} is no whole archive of torch's: {why}"
    return CheckpointError(message, path, "Download or save it again.")
