"""Reading a model's files with every doubt checked: one CheckpointError, nothing partly loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.checkpoints.header import read_header, shape_text
from clipcond.checkpoints.tensors_on_disk import StoredTensors
from clipcond.errors import CheckpointError
from clipcond.files import read_json

__all__ = ["bare", "empty", "fill", "pickled", "read_weights", "weight_files"]

WEIGHTS = "model.safetensors"
HALF_WEIGHTS = "model.fp16.safetensors"
PICKLES = ("pytorch_model.bin", "pytorch_model.fp16.bin", "model.ckpt")
WRAPPER = "text_model."
# AltCLIP's blocks as newer versions of transformers call them in memory, and as all do in files
_BLOCKS_NOW, _BLOCKS = "roberta.encoder.layers.", "roberta.encoder.layer."


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder: one, or the parts its index names.

    Raises:
        CheckpointError: none there, or a part is missing.
    """
    for name in (WEIGHTS, HALF_WEIGHTS):
        if (folder / name).is_file():
            return [folder / name]
    index = folder / f"{WEIGHTS}.index.json"
    if index.is_file():
        names = read_json(index).get("weight_map", {}).values()
        parts = sorted({folder / str(name) for name in names})
        for part in parts:
            if not part.is_file():
                raise CheckpointError(f"{index.name} names {part.name!r}, which is missing", part)
        return parts
    pickle = pickled(folder)
    raise CheckpointError(
        f"there is no {WEIGHTS} in {str(folder)!r}",
        folder,
        f"{pickle.name} is a pickle, which can run code when opened: save the model as "
        f"safetensors, or say allow_pickle=True."
        if pickle is not None
        else f"Looked for {WEIGHTS}, {HALF_WEIGHTS}, {WEIGHTS}.index.json.",
    )


def pickled(folder: Path) -> Path | None:
    """The pickle that holds a model folder's weights, where no safetensors file does."""
    names = [WEIGHTS, HALF_WEIGHTS, f"{WEIGHTS}.index.json", *PICKLES]
    found = next((name for name in names if (folder / name).is_file()), WEIGHTS)
    return folder / found if found in PICKLES else None


def read_weights(
    paths: list[Path], dtype: torch.dtype | None = None, *, beside: tuple[str, ...] = ()
) -> dict[str, tuple[Tensor, Path]]:
    """Every tensor of safetensors files, with the file it came from.

    Args:
        dtype: what floating-point tensors are cast to, one by one; None = as stored.
        beside: how the names begin of those that are not wanted, and not read.
    Raises:
        CheckpointError: a file is cut short or no safetensors at all.
    """
    found: dict[str, tuple[Tensor, Path]] = {}
    for path in paths:
        entries = read_header(path).entries
        wanted = {name: entry for name, entry in entries.items() if not name.startswith(beside)}
        stored = StoredTensors(path, wanted, dtype)
        found.update({key: (tensor, path) for key, tensor in stored.items()})
    return found


def empty(build: Callable[[], nn.Module], where: Path) -> nn.Module:
    """A model with unset weights, without the time that random ones take.

    Args:
        where: the file that describes the model.
    Raises:
        CheckpointError: it describes none.
    """
    # torch 2.6 fails where transformers' models are first imported inside torch.device("meta")
    import transformers.modeling_utils  # noqa: F401

    try:
        with torch.device("meta"):
            model = build()
    except Exception as error:  # transformers' versions raise whatever they like here
        raise CheckpointError(f"{str(where)!r} describes no model: {error}", where) from error
    model.to_empty(device="cpu")
    for module in model.modules():  # what no file keeps
        for name, buffer in module._buffers.items():
            if buffer is not None and name == "position_ids":
                buffer.copy_(torch.arange(buffer.shape[-1]).expand(buffer.shape))
            elif buffer is not None and name == "token_type_ids":
                buffer.zero_()
    return model


def fill(model: nn.Module, weights: Mapping[str, tuple[Tensor, Path]], where: Path) -> None:
    """Load weights into a text model, whichever transformers saved them.

    transformers 5.6 dropped the prefix `text_model.` from CLIPTextModel's keys; a model that does
    not know a file's keys would otherwise keep random values. Nothing is loaded unless all fits.
    The model takes the tensors themselves, in their dtype: there is no second copy.

    Raises:
        CheckpointError: a key is missing, has another shape or whole numbers; names file, key,
            expected, found.
    """
    known = {bare(key): pair for key, pair in weights.items()}
    state: dict[str, Tensor] = {}
    for key, expected in model.state_dict().items():
        tensor, path = known.get(bare(key), (None, where))
        if tensor is None:
            if bare(key) == "embeddings.position_ids":  # 0, 1, 2, ...; few files keep it
                state[key] = expected
                continue
            raise CheckpointError(
                f"{str(path)!r} has no tensor {bare(key)!r} (expected {_shape(expected)})",
                path,
                f"It has {len(weights)} tensors, such as {min(weights, default='none')!r}.",
            )
        if tensor.shape != expected.shape:
            raise CheckpointError(
                f"{str(path)!r}: {bare(key)!r} is {_shape(tensor)}, but config.json expects "
                f"{_shape(expected)}",
                path,
                "The config belongs to another model, or the file to another tower.",
            )
        if not tensor.is_floating_point():
            raise CheckpointError(
                f"{str(path)!r}: {bare(key)!r} is {str(tensor.dtype).removeprefix('torch.')}, "
                f"expected floating point",
                path,
            )
        state[key] = tensor.contiguous()
    _refuse_more(known, state, where)
    model.load_state_dict(state, assign=True)


def _refuse_more(known: Mapping[str, Any], state: Mapping[str, Tensor], where: Path) -> None:
    """Layers that the config does not have mean that another model's config was found."""
    taken = {bare(key) for key in state}
    blocks = ("encoder.", "roberta.encoder.")
    more = sorted(key for key in known if key.startswith(blocks) and key not in taken)
    if more:
        raise CheckpointError(
            f"{str(where)!r} has {len(more)} tensors beyond the model of config.json, such as "
            f"{more[0]!r}",
            where,
            "The config belongs to another model, or the file to another tower.",
        )


def bare(key: str) -> str:
    """A tensor's name in a text model, whichever version of transformers gave it."""
    return key.removeprefix(WRAPPER).replace(_BLOCKS_NOW, _BLOCKS)


def _shape(tensor: Tensor) -> str:
    return shape_text(tuple(tensor.shape))
