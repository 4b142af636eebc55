"""Read a safetensors file's header: the name, dtype, shape and place of each tensor, and no value.

Read with the standard library alone and checked to the last byte before anything relies on it: a
file of 7 GB is understood from its first few hundred kilobytes, and one that is cut short, padded
or forged is refused before any memory is asked for.

Source: the safetensors format (huggingface/safetensors, README, "Format").
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipcond.checkpoints.signatures import LONGEST, recognise
from clipcond.errors import CheckpointError, excerpt
from clipcond.files import opened

# A header holds about 100 bytes a tensor: 0.4 MB for SDXL. The format allows 100 MB, which JSON
# could blow up to gigabytes.
MAX_HEADER = 16_000_000
LENGTH = 8  # bytes of the header's length, little-endian, before the header
METADATA = "__metadata__"
MAX_DIMENSIONS = 16
MAX_SIZE = 2**63 - 1

# The format's dtypes: torch's name (the last four are no plain dtypes there), bits of one value.
DTYPES = {
    "F64": ("float64", 64),
    "F32": ("float32", 32),
    "F16": ("float16", 16),
    "BF16": ("bfloat16", 16),
    "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E5M2": ("float8_e5m2", 8),
    "I64": ("int64", 64),
    "I32": ("int32", 32),
    "I16": ("int16", 16),
    "I8": ("int8", 8),
    "U64": ("uint64", 64),
    "U32": ("uint32", 32),
    "U16": ("uint16", 16),
    "U8": ("uint8", 8),
    "BOOL": ("bool", 8),
    "C64": ("complex64", 64),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8),
    "F6_E2M3": ("float6_e2m3", 6),
    "F6_E3M2": ("float6_e3m2", 6),
    "F4": ("float4_e2m1", 4),
}
# The dtypes that a weight may have: those that torch casts to float32 value by value.
FLOATS = ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a file, unread: `dtype` as torch calls it, bytes [start, stop) of the file.

    `strides`, in values, are those of a pickled tensor whose rows do not follow one another.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int
    strides: tuple[int, ...] | None = None

    @property
    def n_values(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Header:
    """What a file holds, by its own account; `n_bytes` is the size of the whole file."""

    path: Path
    entries: Mapping[str, Entry]
    metadata: Mapping[str, str]
    n_bytes: int


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file.

    Raises:
        CheckpointError: no such file, or not exactly one whole safetensors file.
    """
    with opened(path) as file:
        n_bytes = file.seek(0, 2)
        file.seek(0)
        begins = file.read(LONGEST)
        file.seek(LENGTH)
        n_header = int.from_bytes(begins[:LENGTH], "little")
        if not 0 < n_header <= min(n_bytes, MAX_HEADER):
            _check_sign(path, begins)
        if not n_bytes:
            raise broken(path, "it is empty")
        if n_bytes < LENGTH or n_header > n_bytes - LENGTH:
            raise broken(path, f"its header should be {n_header} bytes, the file is {n_bytes}")
        if n_header > MAX_HEADER:
            raise broken(path, f"its header of {n_header} bytes is over {MAX_HEADER}")
        raw = file.read(n_header)
    named = _parsed(path, raw)
    metadata = named.pop(METADATA, {})
    if not isinstance(metadata, dict):
        raise broken(path, f"its {METADATA} is no JSON object")
    first = LENGTH + n_header
    entries = {name: _entry(path, name, value, first) for name, value in named.items()}
    _check_places(path, entries, first, n_bytes)
    return Header(path, entries, {str(k): str(v) for k, v in metadata.items()}, n_bytes)


def _check_sign(path: Path, begins: bytes) -> None:
    """Name the kind of a file that is often mistaken for a safetensors file."""
    found = recognise(begins)
    if found is not None:
        message = f"{str(path)!r} is no safetensors file but {found.called}"
        raise CheckpointError(message, path, found.remedy)


def broken(path: Path, why: str) -> CheckpointError:
    """Make the error for a file that is not one whole safetensors file."""
    return CheckpointError(
        f"{str(path)!r} is no complete safetensors file: {why}", path, "Download or save it again."
    )


def _parsed(path: Path, raw: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) != len(pairs):
            raise ValueError("a name is in it twice")
        return values

    if not raw.startswith(b"{"):
        raise broken(path, f"its header begins with {raw[:8]!r}, not with '{{'")
    try:
        named = json.loads(raw.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise broken(path, f"its header is no JSON: {excerpt(str(error), 100)}") from error
    assert isinstance(named, dict)  # it begins with a brace
    return named


def _entry(path: Path, name: str, value: Any, first: int) -> Entry:
    """Read one tensor's description, and check that its bytes are as many as its shape needs."""
    try:
        dtype, n_bits = DTYPES[value["dtype"]]
        shape, (start, stop) = tuple(value["shape"]), value["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        found = excerpt(repr(value), 100)
        raise broken(path, f"its header describes {excerpt(name)!r} as {found}") from error
    if not all(type(n) is int and 0 <= n <= MAX_SIZE for n in (*shape, start, stop)):
        raise broken(path, f"{excerpt(name)!r} has a size that is no number: {excerpt(str(value))}")
    if len(shape) > MAX_DIMENSIONS:
        raise broken(path, f"{excerpt(name)!r} has {len(shape)} dimensions")
    expected = -(-math.prod(shape) * n_bits // 8)
    if stop - start != expected:
        raise broken(
            path,
            f"{excerpt(name)!r} is {list(shape)} of {dtype}, expected {expected} bytes, "
            f"found {stop - start}",
        )
    return Entry(dtype, shape, first + start, first + stop)


def _check_places(path: Path, entries: Mapping[str, Entry], first: int, n_bytes: int) -> None:
    """Check that tensors fill the file from the header to its end: no gap, no overlap."""
    end = first
    for name, entry in sorted(entries.items(), key=lambda pair: (pair[1].start, pair[1].stop)):
        if entry.start != end:
            where = "overlaps the one before" if entry.start < end else "follows a gap"
            raise broken(
                path, f"{excerpt(name)!r} {where}: expected at byte {end}, found at {entry.start}"
            )
        end = entry.stop
    if end != n_bytes:
        lacking = "ends early" if end > n_bytes else "goes on behind its last tensor"
        raise broken(path, f"it {lacking}: expected {end} bytes, found {n_bytes}")
