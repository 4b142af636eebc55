"""A `.pt`, `.ckpt` or `.bin` file's contents by name and place; no code of it runs.

torch 1.6 and later save a zip archive: a pickle that says which tensors there are, and their values
side by side, uncompressed. The pickle is read by torch with `weights_only=True` onto the device
"meta", which gives names, shapes and places in the file without any value; the values are read
later, like those of a safetensors file, and only the tower's.

Why torch 2.10: `weights_only=True` could be got around before 2.6 (CVE-2025-32434) and again before
2.10 (CVE-2026-24747).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipcond.checkpoints.header import Entry, Header
from clipcond.checkpoints.torchscript import read_script
from clipcond.errors import CheckpointError, excerpt

__all__ = ["read_pickle"]

OLDEST_TORCH = (2, 10)
MAX_PICKLE = 16_000_000  # bytes of data.pkl, which says about 100 bytes a tensor
LOCAL_HEADER = 30  # bytes, with the lengths of name and extra field at 26 and 28
WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
MAX_NESTED = 4
REMEDY = "Use the model's .safetensors version, or convert it on a machine that may run its code."


def read_pickle(path: Path) -> Header:
    """The tensors of an archive of torch's, TorchScript included; `state_dict` is unwrapped.

    Raises:
        CheckpointError: torch is too old, or the file is damaged, compressed, forged, or holds
            more than tensors and plain values.
    """
    found = re.match(r"(\d+)\.(\d+)", torch.__version__)
    if found is None or tuple(map(int, found.groups())) < OLDEST_TORCH:
        raise CheckpointError(
            f"{str(path)!r} is a pickle, and torch {torch.__version__} cannot open one safely",
            path,
            f"Install torch {'.'.join(map(str, OLDEST_TORCH))} or newer, or use a safetensors "
            f"file.",
        )
    places, inner = _members(path)
    if inner is not None:
        entries = read_script(path, inner, places)
    else:
        tensors = _unwrapped(path, _load(path))
        by_start = dict(places.values())
        entries = {name: _entry(path, name, t, by_start) for name, t in tensors.items()}
    return Header(path, entries, {}, path.stat().st_size)


def _members(path: Path) -> tuple[dict[str, tuple[int, int]], bytes | None]:
    """Bytes [start, stop) of each stored member; TorchScript's pickle if it is such an archive.

    torch never compresses values, so a member that unpacks to more than it is in the file is a
    forgery made to fill the memory.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            is_script = any(m.filename.endswith("/constants.pkl") for m in members)
            places = {}
            for member in members:
                if is_script and "/code/" in member.filename:
                    continue  # its sources are compressed, and nobody reads them
                places[member.filename.partition("/")[2]] = _place(path, archive, member)
            inner = archive.read(_pickle_of(members)) if is_script else None
    except CheckpointError:
        raise
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path, str(error)) from error
    if "data.pkl" not in places:
        raise _damaged(path, "it holds no data.pkl")
    return places, inner


def _pickle_of(members: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    return next(m for m in members if m.filename.partition("/")[2] == "data.pkl")


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
        raise _damaged(path, f"{excerpt(name)!r} lies behind its end")
    lengths = (int.from_bytes(local[i : i + 2], "little") for i in (26, 28))
    start = member.header_offset + LOCAL_HEADER + sum(lengths)
    if start + size > path.stat().st_size:
        raise _damaged(path, f"{excerpt(name)!r} goes on behind its end")
    return start, start + size


def _load(path: Path) -> Any:
    """What the pickle says, each tensor without values but with its place."""
    try:
        loaded = torch.load(path, map_location="meta", weights_only=True)
        first = next(_tensors(loaded), None)
        if first is None or _place_of(first) is not None:
            return loaded
        # before it did so for "meta", torch noted the places for its fake tensors only
        from torch._subclasses.fake_tensor import FakeTensorMode

        with FakeTensorMode():
            return torch.load(path, weights_only=True)
    except Exception as error:  # whatever a forged pickle makes torch stumble over
        raise CheckpointError(
            f"{str(path)!r} holds more than weights, or is damaged: {_first_line(error)}",
            path,
            REMEDY,
        ) from error


def _place_of(tensor: Tensor) -> int | None:
    """Where in the file a tensor's storage begins, as `torch.load` noted it."""
    place: int | None = getattr(tensor.untyped_storage(), "_checkpoint_offset", None)
    return place


def _tensors(values: Any, depth: int = 0) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping) and depth < MAX_NESTED:
        for value in values.values():
            yield from _tensors(value, depth + 1)


def _unwrapped(path: Path, values: Any) -> dict[str, Tensor]:
    """The state dict, whatever a training script packed it into; no `module.` before names."""
    for _ in range(MAX_NESTED):
        inner = next((values[w] for w in WRAPPERS if w in values), None) if _is_dict(values) else 0
        if not _is_dict(inner):
            break
        values = inner
    if not _is_dict(values):
        kind = type(values).__name__
        raise CheckpointError(f"{str(path)!r} holds a {kind}, not tensors by name", path)
    tensors = {str(name): t for name, t in values.items() if isinstance(t, Tensor)}
    is_parallel = bool(tensors) and all(name.startswith("module.") for name in tensors)
    return {k.removeprefix("module.") if is_parallel else k: t for k, t in tensors.items()}


def _is_dict(values: Any) -> bool:
    return isinstance(values, Mapping)


def _entry(path: Path, name: str, tensor: Tensor, by_start: Mapping[int, int]) -> Entry:
    """Where a tensor's values lie, which must be within one member of the archive."""
    shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise CheckpointError(f"{str(path)!r}: {excerpt(name)!r} is no plain tensor", path)
    if not tensor.numel():
        return Entry(dtype, shape, 0, 0)
    first = _place_of(tensor)
    n_values = 1 + sum((n - 1) * s for n, s in zip(shape, tensor.stride(), strict=True))
    start = (first or 0) + int(tensor.storage_offset()) * tensor.element_size()
    stop = start + n_values * tensor.element_size()
    if first is None or first not in by_start or stop > by_start[first]:
        found = by_start.get(first or 0, start) - start
        raise _damaged(
            path,
            f"{excerpt(name, 120)!r} is {list(shape)} of {dtype}, expected {stop - start} bytes, "
            f"found {max(0, found)}",
        )
    strides = None if tensor.is_contiguous() else tuple(tensor.stride())
    return Entry(dtype, shape, start, stop, strides)


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{str(path)!r} is no whole archive of torch's: {why}",
        path,
        "Download or save it again.",
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return excerpt(lines[0], 200) if lines else type(error).__name__
