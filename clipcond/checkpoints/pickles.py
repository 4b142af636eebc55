"""List the tensors of a `.pt`, `.ckpt` or `.bin` file by name and place; no code in it runs.

torch 1.6 and later save a zip archive: a pickle that says which tensors there are, and their values
one after another, uncompressed. torch reads the pickle with `weights_only=True` onto the device
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

__all__ = ["check_torch", "read_pickle", "unwrap_state_dict"]

OLDEST_TORCH = (2, 10)
MAX_PICKLE = 16_000_000  # bytes of data.pkl, which says about 100 bytes a tensor
LOCAL_HEADER = 30  # bytes, with the lengths of name and extra field at 26 and 28
WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
MAX_NESTED = 4
REMEDY = "Use the model's .safetensors version, or convert it on a machine that may run its code."


def read_pickle(path: Path) -> Header:
    """List the tensors of an archive of torch's, TorchScript included; `state_dict` is unwrapped.

    Raises:
        CheckpointError: torch is too old, or the file is damaged, compressed, forged, or holds
            more than tensors and plain values.
    """
    check_torch(path)
    places, script = _members(path)
    tensors = _load(path) if script is None else _load_script(path, script, places)
    stops = dict(places.values())
    entries = {name: _entry(path, name, tensor, stops) for name, tensor in tensors.items()}
    return Header(path, entries, {}, path.stat().st_size)


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


def unwrap_state_dict(values: Any) -> Any:
    """Take a state dict out of whatever a training script packed it into."""
    for _ in range(MAX_NESTED):
        outer = values if isinstance(values, Mapping) else {}
        inner = next((outer[w] for w in WRAPPERS if isinstance(outer.get(w), Mapping)), None)
        if inner is None:
            break
        values = inner
    return values


def _members(path: Path) -> tuple[dict[str, tuple[int, int]], bytes | None]:
    """Find the bytes [start, stop) of each member, and TorchScript's pickle if there is one.

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
            script = archive.read(first) if is_script else None
    except CheckpointError:
        raise
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path, str(error)) from error
    return places, script


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


def _load_script(
    path: Path, pickled: bytes, places: Mapping[str, tuple[int, int]]
) -> dict[str, Tensor]:
    try:
        return read_script(pickled, {name: start for name, (start, _) in places.items()})
    except Exception as error:  # a forged pickle can make the unpickler stumble anywhere
        raise CheckpointError(
            f"{str(path)!r} is a TorchScript archive whose tensors cannot be read without running "
            f"it: {_first_line(error).partition('. ')[0]}",
            path,
            "Where you trust it: torch.jit.load(path, map_location='cpu').state_dict(), saved with "
            "safetensors.torch.save_file.",
        ) from error


def _load(path: Path) -> dict[str, Tensor]:
    """Read the state dict in a pickle, each tensor without values but with its place."""
    values = unwrap_state_dict(_unpickle(path))
    if not isinstance(values, Mapping):
        kind = type(values).__name__
        raise CheckpointError(f"{str(path)!r} holds a {kind}, not tensors by name", path)
    return {str(name): t for name, t in values.items() if isinstance(t, Tensor)}


def _unpickle(path: Path) -> Any:
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
    """The byte of the file at which a tensor's storage begins, as `torch.load` noted it."""
    place: int | None = getattr(tensor.untyped_storage(), "_checkpoint_offset", None)
    return place


def _tensors(values: Any, depth: int = 0) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping) and depth < MAX_NESTED:
        for value in values.values():
            yield from _tensors(value, depth + 1)


def _entry(path: Path, name: str, tensor: Tensor, stops: Mapping[int, int]) -> Entry:
    """Find a tensor's values, which must be within one member of the archive.

    Args:
        stops: the end of each member, by its beginning.
    """
    shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise CheckpointError(f"{str(path)!r}: {excerpt(name)!r} is no plain tensor", path)
    if not tensor.numel():
        return Entry(dtype, shape, 0, 0)
    first = _place_of(tensor)
    n_values = 1 + sum((n - 1) * s for n, s in zip(shape, tensor.stride(), strict=True))
    start = (first or 0) + int(tensor.storage_offset()) * tensor.element_size()
    stop = start + n_values * tensor.element_size()
    if first is None or first not in stops or stop > stops[first]:
        found = stops.get(first or 0, start) - start
        raise _damaged(
            path,
            f"{excerpt(name, 120)!r} is {list(shape)} of {dtype}, expected {stop - start} bytes, "
            f"found {max(0, found)}",
        )
    strides = None if tensor.is_contiguous() else tuple(tensor.stride())
    return Entry(dtype, shape, start, stop, strides)


def _damaged(path: Path, why: str) -> CheckpointError:
    message = f"{str(path)!r} is no whole archive of torch's: {why}"
    return CheckpointError(message, path, "Download or save it again.")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return excerpt(lines[0], 200) if lines else type(error).__name__
