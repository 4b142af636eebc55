"""Reading a model's files with every doubt checked: one CheckpointError, nothing partly loaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.errors import CheckpointError

__all__ = ["empty", "fill", "near", "read_json", "read_weights", "weight_files"]

WEIGHTS = "model.safetensors"
HALF_WEIGHTS = "model.fp16.safetensors"
PICKLES = ("pytorch_model.bin", "pytorch_model.fp16.bin", "model.ckpt")
WRAPPER = "text_model."


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        CheckpointError: no file, not JSON, or not an object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"there is no {path.name} in {str(path.parent)!r}",
            path,
            f"A model folder holds {path.name} and {WEIGHTS}.",
        ) from None
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read as JSON: {error}", path) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{str(path)!r} holds no JSON object", path)
    return values


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
    pickles = [name for name in PICKLES if (folder / name).is_file()]
    raise CheckpointError(
        f"there is no {WEIGHTS} in {str(folder)!r}",
        folder,
        f"{pickles[0]} is a pickle, which can run code when opened: save the model as safetensors."
        if pickles
        else f"Looked for {WEIGHTS}, {HALF_WEIGHTS}, {WEIGHTS}.index.json.",
    )


def read_weights(paths: list[Path]) -> dict[str, tuple[Tensor, Path]]:
    """Every tensor of safetensors files, with the file it came from.

    Raises:
        CheckpointError: a file is cut short or no safetensors at all.
    """
    from safetensors import SafetensorError, safe_open

    found: dict[str, tuple[Tensor, Path]] = {}
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                found.update({key: (file.get_tensor(key), path) for key in file.keys()})  # noqa: SIM118
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(
                f"{str(path)!r} is no complete safetensors file: {error}",
                path,
                "Download or save it again.",
            ) from error
    return found


def empty(build: Callable[[], nn.Module], where: Path) -> nn.Module:
    """A model with unset weights, without the time that random ones take.

    Args:
        where: the file that describes the model.
    Raises:
        CheckpointError: it describes none.
    """
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

    Raises:
        CheckpointError: a key is missing or has another shape; names file, key, expected, found.
    """
    known = {_bare(key): pair for key, pair in weights.items()}
    state: dict[str, Tensor] = {}
    for key, expected in model.state_dict().items():
        tensor, path = known.get(_bare(key), (None, where))
        if tensor is None:
            if _bare(key) == "embeddings.position_ids":  # 0, 1, 2, ...; few files keep it
                state[key] = expected
                continue
            raise CheckpointError(
                f"{str(path)!r} has no tensor {_bare(key)!r} (expected {_shape(expected)})",
                path,
                f"It has {len(weights)} tensors, such as {min(weights, default='none')!r}.",
            )
        if tensor.shape != expected.shape:
            raise CheckpointError(
                f"{str(path)!r}: {_bare(key)!r} is {_shape(tensor)}, but config.json expects "
                f"{_shape(expected)}",
                path,
                "The config belongs to another model, or the file to another tower.",
            )
        state[key] = tensor
    _refuse_more(known, state, where)
    model.load_state_dict(state)


def _refuse_more(known: Mapping[str, Any], state: Mapping[str, Tensor], where: Path) -> None:
    """Layers that the config does not have mean that another model's config was found."""
    taken = {_bare(key) for key in state}
    more = sorted(key for key in known if key.startswith("encoder.") and key not in taken)
    if more:
        raise CheckpointError(
            f"{str(where)!r} has {len(more)} tensors beyond the model of config.json, such as "
            f"{more[0]!r}",
            where,
            "The config belongs to another model, or the file to another tower.",
        )


def near(path: Path) -> str:
    """Did you mean: the entry beside a path that does not exist with the nearest name."""
    parent = path.parent
    if not parent.is_dir():
        return f"There is no folder {str(parent)!r} either."
    names = [entry.name for entry in _entries(parent)]
    guess = get_close_matches(path.name, names, n=1)
    return f"Did you mean {str(parent / guess[0])!r}?" if guess else ""


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return


def _bare(key: str) -> str:
    return key.removeprefix(WRAPPER)


def _shape(tensor: Tensor) -> str:
    return f"{list(tensor.shape)}"
