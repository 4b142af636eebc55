"""An adapter's file: safetensors, with its config and alignment record in the metadata.

    clipcond_adapter   version of the format, "1"
    config             AdapterConfig as JSON
    record             AlignmentRecord as JSON

Everything is checked before anything is handed out: the file to its last byte, the metadata field
by field, and every tensor's name, shape, kind of number and values.
"""

from __future__ import annotations

import os
from collections import Counter
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from clipcond.adapters.base import Adapter, AdapterConfig
from clipcond.adapters.json_fields import T, from_json, to_json
from clipcond.adapters.kinds import build_adapter
from clipcond.adapters.other_files import what_it_is
from clipcond.adapters.record import VERSION, AlignmentRecord
from clipcond.checkpoints.header import Header, read_header, shape_text
from clipcond.checkpoints.tensors_on_disk import StoredTensors
from clipcond.errors import CheckpointError, TowerError, UnknownNameError, excerpt
from clipcond.files import near

__all__ = ["load_adapter", "save_adapter"]

MARK = "clipcond_adapter"
DTYPES = ("float32", "float16", "bfloat16")
_PICKLES = (".pt", ".pth", ".bin", ".ckpt")
_TRAIN = "Train one with: clipcond align"


def save_adapter(adapter: Adapter, record: AlignmentRecord, path: str | PathLike[str]) -> None:
    """Write an adapter with its record; the file appears whole or not at all.

    Tensors are written in their dtype, so that loading gives the same bits.

    Raises:
        CheckpointError: the path cannot be written, or `load_adapter` would refuse the file: the
            record does not fit the adapter, or a weight is NaN.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = Path(path).expanduser()
    try:
        stated = {"config": to_json(adapter.config), "record": to_json(record)}
    except ValueError as error:
        raise CheckpointError(f"an adapter cannot be saved: of its record, {error}", path) from None
    _check_pair(adapter.config, record, path)
    tensors = {name: t.detach().cpu().contiguous() for name, t in adapter.state_dict().items()}
    for name, tensor in tensors.items():
        _check_values(name, tensor, path)
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, {"format": "pt", MARK: str(VERSION), **stated})
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(f"{str(path)!r} cannot be written: {error}", path) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def load_adapter(path: str | PathLike[str]) -> tuple[Adapter, AlignmentRecord]:
    """Read an adapter and its record; the record also stands in `adapter.record`.

    Returns:
        the adapter on the CPU in the dtype of the file, in eval mode, without gradients.
    Raises:
        CheckpointError: not there, damaged, no adapter (says what it is), of a newer format, or a
            tensor is missing, too many, of another shape or kind, or not finite.
    """
    path = Path(path).expanduser()
    header = _header(path)
    _check_version(header)
    config = _stated(header, "config", AdapterConfig)
    record = _stated(header, "record", AlignmentRecord)
    _check_pair(config, record, path)
    adapter = _empty(config, path)
    _check_entries(adapter, header)
    stored = StoredTensors(path, header.entries)
    state = {name: stored[name] for name in adapter.state_dict()}
    for name, tensor in state.items():
        _check_values(name, tensor, path)
    adapter.load_state_dict(state, assign=True)
    adapter.record = record
    return adapter.eval().requires_grad_(False), record


def _header(path: Path) -> Header:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        remedy = "" if path.is_dir() else near(path)
        raise CheckpointError(
            f"{str(path)!r} {what}; an adapter is one .safetensors file", path, remedy
        )
    if path.suffix in _PICKLES:
        raise CheckpointError(
            f"{str(path)!r} is a pickle; an adapter is one .safetensors file", path, _TRAIN
        )
    return read_header(path)


def _check_version(header: Header) -> None:
    """Before anything else: a newer format may mean anything."""
    path, version = header.path, header.metadata.get(MARK)
    if version is None:
        raise CheckpointError(
            f"{str(path)!r} is no adapter of clipcond: it holds {what_it_is(header)}", path, _TRAIN
        )
    if not (version.isascii() and version.isdigit() and 1 <= int(version[:9]) <= VERSION):
        raise CheckpointError(
            f"{str(path)!r}: {MARK} is {excerpt(version)!r}, expected {VERSION} at most",
            path,
            "A newer clipcond wrote it: update this one.",
        )


def _stated(header: Header, key: str, kind: type[T]) -> T:
    text = header.metadata.get(key)
    try:
        if text is None:
            raise ValueError("it is missing")
        return from_json(kind, text)
    except (ValueError, TowerError) as error:
        message = str(error).splitlines()[0]
        raise CheckpointError(
            f"{str(header.path)!r}: its {key} cannot be read: {message}",
            header.path,
            "Download or save it again.",
        ) from error


def _check_pair(config: AdapterConfig, record: AlignmentRecord, path: Path) -> None:
    pairs = {"width": (config.width, record.width), "version": (VERSION, record.version)}
    for name, (expected, found) in pairs.items():
        if expected != found:
            raise CheckpointError(
                f"{str(path)!r}: the alignment record's {name} is {found}, expected {expected}",
                path,
            )


def _empty(config: AdapterConfig, path: Path) -> Adapter:
    try:
        with torch.device("meta"):  # shapes only: nothing is allocated for a forged config
            return build_adapter(config)
    except UnknownNameError as error:
        raise CheckpointError(
            f"{str(path)!r}: {error}", path, "A newer clipcond may know it: update this one."
        ) from error


def _check_entries(adapter: Adapter, header: Header) -> None:
    path, entries = header.path, header.entries
    expected = adapter.state_dict()
    dtypes = Counter(entry.dtype for entry in entries.values())
    usual = next((dtype for dtype, _ in dtypes.most_common() if dtype in DTYPES), DTYPES[0])
    for name, tensor in expected.items():
        shape = tuple(tensor.shape)
        if name not in entries:
            raise CheckpointError(
                f"{str(path)!r} has no tensor {name!r} (expected {shape_text(shape)})", path
            )
        found = entries[name]
        if found.shape != shape:
            raise CheckpointError(
                f"{str(path)!r}: {name!r} is {shape_text(found.shape)}, but its config expects "
                f"{shape_text(shape)}",
                path,
            )
        if found.dtype != usual:
            raise CheckpointError(
                f"{str(path)!r}: {name!r} is {found.dtype}, expected {usual} as all tensors", path
            )
    more = sorted(set(entries) - set(expected))
    if more:
        raise CheckpointError(
            f"{str(path)!r} has {len(more)} tensors that its config does not expect, such as "
            f"{excerpt(more[0])!r}",
            path,
        )


def _check_values(name: str, tensor: Tensor, path: Path) -> None:
    n_broken = int((~torch.isfinite(tensor)).sum())
    if n_broken:
        raise CheckpointError(
            f"{str(path)!r}: {n_broken} of the {tensor.numel()} values of {name!r} are NaN or "
            f"infinite, expected finite ones",
            path,
            "The training that made it diverged.",
        )
