"""Towers as transformers saves them, with the projection that contrastive training needs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.checkpoints.extraction import extract
from clipcond.checkpoints.folders import WEIGHTS
from clipcond.errors import CheckpointError, TowerError
from clipcond.towers import ChineseClipTower, OpenAIClipTower, TextTower
from clipcond.towers.chinese_clip import ChineseTextHalf

__all__ = ["check_replaceable", "save_tower", "with_projection"]


def with_projection(
    tower: TextTower, width: int, known: Tensor | None, seed: int
) -> OpenAIClipTower | ChineseClipTower:
    """The tower, its pooled output projected to `width`; its own projection if that fits.

    Args:
        known: a projection [P D] to use where the tower has none, if it fits; else one is drawn.
    Raises:
        TowerError: a tower of another kind.
    """
    projection = getattr(getattr(tower, "model", None), "text_projection", None)
    if isinstance(tower, ChineseClipTower):
        parts: Any = tower._parts()
        linear = _linear(projection, tower.width, width, known, seed)
        half = ChineseTextHalf(parts, linear)
        length = tower.special.context_length
        return ChineseClipTower(half, tower.tokenizer.source, tower.name, context_length=length)
    if not isinstance(tower, OpenAIClipTower):
        raise TowerError(
            f"{tower.name!r} cannot be trained: towers of CLIP and ChineseCLIP can",
            "Load it as one of these.",
        )
    if projection is not None and projection.out_features == width:
        return tower
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    own: Any = tower.model.config
    config = CLIPTextConfig(**{**own.to_dict(), "projection_dim": width})
    model: Any = CLIPTextModelWithProjection(config)
    inner = getattr(tower.model, "text_model", tower.model)
    model.text_model.load_state_dict(inner.state_dict())
    model.text_projection = _linear(None, tower.width, width, known, seed)
    return OpenAIClipTower(model.eval(), tower.tokenizer.source, tower.name)


def check_replaceable(folder: Path) -> None:
    """Refuse to put a tower in the place of anything but a tower's folder.

    Raises:
        CheckpointError: there is a file, or a folder with something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not all((folder / name).is_file() for name in ("config.json", WEIGHTS)):
        raise CheckpointError(
            f"{str(folder)!r} is no tower's folder, and would be lost", folder, "Name another."
        )


def save_tower(tower: OpenAIClipTower | ChineseClipTower, folder: Path) -> None:
    """Write a tower to a folder that transformers and `load_tower` read; whole, or not at all.

    Raises:
        CheckpointError: it cannot be written.
    """
    check_replaceable(folder)
    part = folder.with_name(folder.name + ".partial")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        if isinstance(tower, ChineseClipTower):
            _save_chinese(tower, part)
        else:
            extract(tower, part)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    except OSError as error:
        raise CheckpointError(f"{str(folder)!r} cannot be written: {error}", folder) from error


def _save_chinese(tower: ChineseClipTower, folder: Path) -> None:
    """As a ChineseCLIPTextModel, the projection beside it: there is no class that has both."""
    from safetensors.torch import save_file

    model: Any = tower.model
    weights = {
        name: tensor.detach().contiguous()
        for name, tensor in model.text_model.state_dict().items()
        if not name.startswith("pooler.") and tensor.is_floating_point()
    }
    weights["text_projection.weight"] = model.text_projection.weight.detach().contiguous()
    save_file(weights, folder / WEIGHTS, {"format": "pt"})
    config = model.text_model.config
    config.architectures = ["ChineseCLIPTextModel"]
    config.dtype = tower.dtype
    config.save_pretrained(folder)
    tower.tokenizer.source.save_pretrained(folder)


def _linear(
    own: nn.Linear | None, width: int, width_out: int, known: Tensor | None, seed: int
) -> nn.Linear:
    if own is not None and own.out_features == width_out:
        return own
    linear = nn.Linear(width, width_out, bias=False)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        if known is not None and known.shape == linear.weight.shape:
            linear.weight.copy_(known)
        else:
            linear.weight.normal_(std=width**-0.5, generator=generator)
    return linear
