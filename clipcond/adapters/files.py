"""Build adapters, save them and load them.

An adapter's file is safetensors. Its metadata hold:

    clipcond_adapter   version of the format, "1"
    config             AdapterConfig as JSON
    record             AlignmentRecord as JSON

Loading checks the file to its last byte, each field of the metadata, and every tensor's name,
shape, dtype and values.
"""

from __future__ import annotations

from collections import Counter
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor

from clipcond.adapters.base import Adapter, AdapterConfig
from clipcond.adapters.image import ImageAdapter
from clipcond.adapters.linear import LinearAdapter
from clipcond.adapters.record import VERSION, AlignmentRecord, T, from_json, to_json
from clipcond.adapters.resampler import ResamplerAdapter
from clipcond.checkpoints.contents import describe, list_contents
from clipcond.checkpoints.file_formats import PICKLE_SUFFIXES, file_format
from clipcond.checkpoints.header import Header, read_header
from clipcond.checkpoints.tensors_on_disk import StoredTensors
from clipcond.errors import CheckpointError, TowerError, UnknownNameError, counted, excerpt
from clipcond.files import local_path, near, write_whole

KINDS: dict[str, type[Adapter]] = {
    "linear": LinearAdapter,
    "resampler": ResamplerAdapter,
    "image": ImageAdapter,
}
MARK = "clipcond_adapter"
DTYPES = ("float32", "float16", "bfloat16")
_TRAIN = "Train one with: clipcond align"


def build_adapter(config: AdapterConfig) -> Adapter:
    """Build an untrained adapter; its weights are drawn from torch's generator.

    Raises:
        UnknownNameError: no such kind.
    """
    if config.kind not in KINDS:
        raise UnknownNameError("kind of adapter", config.kind, KINDS)
    return KINDS[config.kind](config)


def save_adapter(adapter: Adapter, record: AlignmentRecord, path: str | PathLike[str]) -> None:
    """Write an adapter with its record; the file appears whole or not at all.

    Tensors are written in their dtype, so that loading gives the same bits.

    Raises:
        CheckpointError: the path cannot be written, or `load_adapter` would refuse the file: the
            record does not fit the adapter, a weight is NaN, or dtypes differ.
    """
    from safetensors.torch import save

    path = Path(path).expanduser()
    try:
        metadata = {"config": to_json(adapter.config), "record": to_json(record)}
    except ValueError as error:
        raise CheckpointError(f"an adapter cannot be saved: of its record, {error}", path) from None
    _check_pair(adapter.config, record, path)
    tensors = {name: t.detach().cpu().contiguous() for name, t in adapter.state_dict().items()}
    dtypes = sorted({str(t.dtype).removeprefix("torch.") for t in tensors.values()})
    if len(dtypes) > 1 or not set(dtypes) <= set(DTYPES):
        held, known = " and ".join(dtypes), ", ".join(DTYPES)
        remedy = "Cast it first: adapter.float()."
        raise _error(path, f": its tensors are {held}, expected one of {known} for all", remedy)
    for name, tensor in tensors.items():
        _check_values(name, tensor, path)
    content = save(tensors, {"format": "pt", MARK: str(VERSION), **metadata})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _error(path, f" cannot be written: {error}") from error
    write_whole(path, lambda file: file.write(content))


def load_adapter(path: str | PathLike[str]) -> tuple[Adapter, AlignmentRecord]:
    """Read an adapter and its record, which also becomes `adapter.record`.

    Returns:
        the adapter on the CPU in the dtype of the file, in eval mode, without gradients.
    Raises:
        CheckpointError: the file does not exist, is damaged, no adapter (says what it is) or of a
            newer format, or a tensor is missing, unknown, of another shape or dtype, or not finite.
    """
    path = local_path(path)
    header = _header(path)
    _check_version(header)
    config = _from_metadata(header, "config", AdapterConfig)
    record = _from_metadata(header, "record", AlignmentRecord)
    _check_pair(config, record, path)
    try:
        with torch.device("meta"):  # shapes only: nothing is allocated for a forged config
            adapter = build_adapter(config)
    except UnknownNameError as error:
        remedy = "A newer clipcond may know it: update this one."
        raise _error(path, f": {error}", remedy) from error
    _check_entries(adapter, header)
    on_disk = StoredTensors(path, header.entries)
    tensors = {name: on_disk[name] for name in adapter.state_dict()}
    for name, tensor in tensors.items():
        _check_values(name, tensor, path)
    adapter.load_state_dict(tensors, assign=True)
    adapter.record = record
    return adapter.eval().requires_grad_(False), record


def _error(path: Path, problem: str, remedy: str = "") -> CheckpointError:
    return CheckpointError(f"{str(path)!r}{problem}", path, remedy)


def _header(path: Path) -> Header:
    expected = "; an adapter is one .safetensors file"
    if path.is_dir():
        raise _error(path, f" is a folder{expected}")
    if not path.exists():
        raise _error(path, f" does not exist{expected}", near(path))
    if path.suffix in PICKLE_SUFFIXES and file_format(path, allow_pickle=True) != "safetensors":
        raise _error(path, f" is a pickle{expected}", _TRAIN)
    return read_header(path)


def _check_version(header: Header) -> None:
    """Check the version first: a newer format may have any content."""
    version = header.metadata.get(MARK)
    if version is None:
        what = describe(list_contents(header))
        raise _error(header.path, f" is no adapter of clipcond: it holds {what}", _TRAIN)
    if version not in map(str, range(1, VERSION + 1)):
        raise _error(
            header.path,
            f": {MARK} is {excerpt(version)!r}, expected {VERSION} at most",
            "A newer clipcond wrote it: update this one.",
        )


def _from_metadata(header: Header, key: str, kind: type[T]) -> T:
    try:
        if key not in header.metadata:
            raise ValueError("it is missing")
        return from_json(kind, header.metadata[key])
    except (ValueError, TowerError) as error:
        problem = f": its {key} cannot be read: {str(error).splitlines()[0]}"
        raise _error(header.path, problem, "Download or save it again.") from error


def _check_pair(config: AdapterConfig, record: AlignmentRecord, path: Path) -> None:
    pairs = {"width": (config.width, record.width), "version": (VERSION, record.version)}
    for name, (expected, found) in pairs.items():
        if expected != found:
            raise _error(path, f": the alignment record's {name} is {found}, expected {expected}")


def _check_entries(adapter: Adapter, header: Header) -> None:
    path, entries = header.path, header.entries
    tensors = adapter.state_dict()
    dtypes = Counter(entry.dtype for entry in entries.values())
    usual = next((dtype for dtype, _ in dtypes.most_common() if dtype in DTYPES), DTYPES[0])
    for name, tensor in tensors.items():
        found, shape = entries.get(name), list(tensor.shape)
        if found is None:
            raise _error(path, f" has no tensor {name!r} (expected {shape})")
        if (size := list(found.shape)) != shape:
            raise _error(path, f": {name!r} is {size}, but its config expects {shape}")
        if found.dtype != usual:
            raise _error(path, f": {name!r} is {found.dtype}, expected {usual} as all tensors")
    more = sorted(set(entries) - set(tensors))
    if more:
        raise _error(
            path,
            f" has {counted(len(more), 'tensor')} that its config does not expect, such as "
            f"{excerpt(more[0])!r}",
        )


def _check_values(name: str, tensor: Tensor, path: Path) -> None:
    n_broken = int((~torch.isfinite(tensor)).sum())
    if n_broken:
        raise _error(
            path,
            f": {n_broken} of the {tensor.numel()} values of {name!r} are NaN or infinite, "
            f"expected finite ones",
            "The training that made it diverged.",
        )
