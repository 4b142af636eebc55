"""Open the vision half of a CLIP, from a folder of transformers or from a single file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.checkpoints.file_formats import read_any_header
from clipcond.checkpoints.folders import read_weights
from clipcond.checkpoints.header import Header
from clipcond.checkpoints.models import VISION_MODEL, build_model, plain_vision_name
from clipcond.checkpoints.naming import rename_tensors
from clipcond.checkpoints.places import weight_files
from clipcond.checkpoints.tensor_names import VISUAL_PROJECTION
from clipcond.checkpoints.tensors_on_disk import StoredTensors
from clipcond.checkpoints.text_configs import check_text_config
from clipcond.checkpoints.vision_files import find_vision
from clipcond.checkpoints.vision_settings import read_vision_settings
from clipcond.errors import CheckpointError, excerpt
from clipcond.files import read_json
from clipcond.towers.vision_encoder import VisionEncoder

SCALE, BIAS = "logit_scale", "logit_bias"
# What config.json calls a model: its vision model's classes in transformers.
_CLASSES: dict[str, tuple[str, str]] = {
    "clip": ("CLIPVisionConfig", "CLIPVisionModel"),
    "chinese_clip": ("ChineseCLIPVisionConfig", "ChineseCLIPVisionModel"),
    "altclip": ("AltCLIPVisionConfig", "AltCLIPVisionModel"),
    "metaclip_2": ("MetaClip2VisionConfig", "MetaClip2VisionModel"),
    "siglip": ("SiglipVisionConfig", "SiglipVisionModel"),
}
_VISION_ALONE = "_vision_model"  # the end of the model_type of a vision model by itself


@dataclass(frozen=True, slots=True)
class VisionHalf:
    """The vision half of a CLIP, and what both halves share.

    Attributes:
        model: pixels [n 3 H W] -> [n P].
        kind: "clip", "chinese_clip", "altclip", "metaclip_2", "siglip".
        image_size: the side of its pictures, in pixels.
        logit_scale: the logarithm that cosines are multiplied with; None = the file has none.
        logit_bias: what is added to them, in SigLIP; else None.
    """

    model: nn.Module
    kind: str
    image_size: int
    logit_scale: float | None = None
    logit_bias: float | None = None


def read_vision_folder(folder: Path, *, dtype: torch.dtype, device: torch.device) -> VisionHalf:
    """Open the vision half in a folder of transformers, of a whole model or by itself.

    Raises:
        CheckpointError: there is none, of another kind, or it is not what its config says.
    """
    config = read_json(folder / "config.json")
    kind, vision = _vision_config(config, folder)
    starts = (VISION_MODEL, VISUAL_PROJECTION, SCALE, BIAS)
    found = read_weights(weight_files(folder), torch.float32, only=starts)
    scale, bias = (found.pop(name, (None, folder))[0] for name in (SCALE, BIAS))
    model = _built(kind, vision, found, folder / "config.json", dtype=dtype, device=device)
    size: object = getattr(model.config, "image_size", None)
    if not isinstance(size, int):
        raise CheckpointError(f"{str(folder)!r} says image_size {size!r}", folder)
    return VisionHalf(model, kind, size, _number(scale, folder), _number(bias, folder))


def read_vision_file(
    path: Path,
    *,
    activation: str | None,
    allow_pickle: bool,
    dtype: torch.dtype,
    device: torch.device,
) -> VisionHalf:
    """Open the vision half in a single file, next to which a config may be.

    Args:
        activation: of the text half, which is the vision half's too; None = no config tells.
    Raises:
        CheckpointError: there is none that transformers runs, or it is not whole.
    """
    header = read_any_header(path, allow_pickle=allow_pickle)
    found = find_vision(header)
    settings = read_vision_settings(path, found, activation)
    stored, sizes = StoredTensors(path, header.entries), found.sizes
    tensors = ((short, stored[full].to(dtype)) for short, full in found.tensors.items())
    renamed = rename_tensors(found.scheme, tensors)
    config = {
        "hidden_size": sizes.width,
        "intermediate_size": sizes.inner,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": settings.n_heads,
        "image_size": found.image_size,
        "patch_size": sizes.patch,
        "hidden_act": settings.activation,
        "layer_norm_eps": settings.epsilon,
    }
    weights = {name: (tensor, path) for name, tensor in renamed.items()}
    model = _built("clip", config, weights, path, dtype=dtype, device=device)
    scale, bias = (_stored_number(stored, header, name) for name in (SCALE, BIAS))
    return VisionHalf(model, "clip", found.image_size, scale, bias)


def _vision_config(config: Mapping[str, Any], folder: Path) -> tuple[str, dict[str, Any]]:
    """Find the kind of a folder's model, and its vision model's part of the config."""
    model_type = str(config.get("model_type"))
    kind = model_type.removesuffix(_VISION_ALONE)
    section: object = config if kind != model_type else config.get("vision_config")
    if kind not in _CLASSES or not isinstance(section, dict):
        raise CheckpointError(
            f"{str(folder / 'config.json')!r} says model_type {excerpt(model_type)!r}, which has "
            "no vision half that can be opened",
            folder / "config.json",
            f"Whole models are: {', '.join(_CLASSES)}.",
        )
    return kind, dict(section)


def _built(
    kind: str,
    config: Mapping[str, Any],
    weights: Mapping[str, tuple[Tensor, Path]],
    where: Path,
    *,
    dtype: torch.dtype,
    device: torch.device,
) -> nn.Module:
    projection, _ = weights.get(VISUAL_PROJECTION, (None, None))

    def build(config: Mapping[str, Any], _: Tensor | None) -> nn.Module:
        import transformers

        config_class, model_class = (getattr(transformers, name) for name in _CLASSES[kind])
        vision = config_class(**check_text_config(config))
        if kind != "siglip" and projection is None:
            raise ValueError(f"its weights have no {VISUAL_PROJECTION}")
        with torch.device("meta"):
            linear = None
            if projection is not None:
                linear = nn.Linear(projection.shape[1], len(projection), bias=False)
            return VisionEncoder(model_class(vision), linear)

    return build_model(
        build, config, weights, where, dtype=dtype, device=device, plain=plain_vision_name
    )


def _stored_number(stored: StoredTensors, header: Header, name: str) -> float | None:
    return _number(stored[name], header.path) if name in header.entries else None


def _number(tensor: Tensor | None, path: Path) -> float | None:
    """Read the one number of a tensor.

    Raises:
        CheckpointError: it is none, or not finite.
    """
    if tensor is None:
        return None
    if tensor.numel() != 1 or not math.isfinite(float(tensor.reshape(-1)[0])):
        raise CheckpointError(f"{str(path)!r}: its logit_scale or logit_bias is no number", path)
    return float(tensor.reshape(-1)[0])
