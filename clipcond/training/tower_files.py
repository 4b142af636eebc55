"""Give a tower the projection that contrastive training needs, and save it for transformers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.checkpoints.extraction import extract
from clipcond.checkpoints.places import WEIGHTS
from clipcond.errors import CheckpointError, TowerError, excerpt
from clipcond.files import disk_errors
from clipcond.towers import ChineseClipTower, OpenAIClipTower, TextTower
from clipcond.towers.chinese_clip import ChineseTextEncoder

# What a tower's folder may hold: other files would be lost with it.
_OF_TOWERS = {
    *("config.json", WEIGHTS, "vocab.json", "vocab.txt", "merges.txt", "tokenizer.json"),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
}


def with_projection(
    tower: TextTower, width: int, known: Tensor | None, seed: int
) -> OpenAIClipTower | ChineseClipTower:
    """Give a tower a projection of pooled outputs to `width`, if it has none of that width.

    Returns:
        the tower itself where it has one, else another with a copy of its weights (of CLIP) or
        with its module in it (of ChineseCLIP).
    Args:
        known: a projection [P D] for a tower without one of this width; else one is drawn.
    Raises:
        TowerError: a tower of another kind.
    """
    projection = getattr(getattr(tower, "model", None), "text_projection", None)
    if isinstance(tower, ChineseClipTower):
        parts: Any = tower._parts()
        linear = _make_linear(projection, tower.width, width, known, seed)
        half = ChineseTextEncoder(parts, linear)
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
    with torch.random.fork_rng(devices=[]):  # all that it draws is replaced
        model: Any = CLIPTextModelWithProjection(config)
    inner = getattr(tower.model, "text_model", tower.model)
    model.text_model.load_state_dict(inner.state_dict())
    model.text_projection = _make_linear(None, tower.width, width, known, seed)
    length = tower.special.context_length
    return OpenAIClipTower(model.eval(), tower.tokenizer.source, tower.name, context_length=length)


def check_replaceable(folder: Path) -> None:
    """Refuse to replace anything but a tower's folder.

    Raises:
        CheckpointError: there is a file, or a folder with something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not all((folder / name).is_file() for name in ("config.json", WEIGHTS)):
        raise CheckpointError(
            f"{str(folder)!r} is no tower's folder, and would be lost", folder, "Name another."
        )
    others = sorted({path.name for path in folder.iterdir()} - _OF_TOWERS)
    if others:
        raise CheckpointError(
            f"{str(folder)!r} holds more than a tower, which would be lost: {excerpt(others[0])!r}",
            folder,
            "Name another folder, or move that away.",
        )


def save_tower(tower: OpenAIClipTower | ChineseClipTower, folder: Path) -> None:
    """Write a tower to a folder that transformers and `load_tower` read; whole, or not at all.

    Raises:
        CheckpointError: it cannot be written.
    """
    check_replaceable(folder)
    part = folder.with_name(folder.name + ".partial")
    with disk_errors(f"{str(folder)!r} cannot be written"):
        shutil.rmtree(part, ignore_errors=True)
        tower.model.cpu()
        extract(tower, part)
        _put_in_place(part, folder)


def _put_in_place(part: Path, folder: Path) -> None:
    """Rename a folder; what has its name is kept under another one until then."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        os.replace(folder, old)
    try:
        os.replace(part, folder)
    except OSError:
        if old.exists():
            os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _make_linear(
    own: nn.Linear | None, width: int, width_out: int, known: Tensor | None, seed: int
) -> nn.Linear:
    """Choose the tower's own projection if it is that wide, else the known one; or draw one."""
    if own is not None and own.out_features == width_out:
        return own
    with torch.device("meta"):  # draws no random numbers
        linear = nn.Linear(width, width_out, bias=False)
    linear = linear.to_empty(device="cpu")
    if known is None or known.shape != linear.weight.shape:
        generator = torch.Generator().manual_seed(seed)
        known = torch.empty(width_out, width).normal_(std=width**-0.5, generator=generator)
    with torch.no_grad():
        linear.weight.copy_(known)
    return linear
