"""Towers of ChineseCLIP and AltCLIP from folders as transformers saves them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.checkpoints.weights import empty, fill, read_weights, weight_files
from clipcond.tokenizers import sentence_piece
from clipcond.tokenizers.word_piece import chinese_tokenizer, tokenizer_in
from clipcond.towers.alt_clip import AltClipTower
from clipcond.towers.base import TextTower
from clipcond.towers.chinese_clip import ChineseClipTower, ChineseTextEncoder
from clipcond.towers.text_encoder import TextEncoder

__all__ = [
    "alt_from_folder",
    "chinese_from_folder",
    "chinese_text_model",
    "chinese_tower",
    "embedded_chinese",
]

# How the names begin of what lies beside the text half in a whole model's file.
BESIDE = ("vision_model.", "visual_projection.", "logit_scale")


def chinese_from_folder(
    folder: Path,
    config: dict[str, Any],
    name: str,
    dtype: torch.dtype,
    device: torch.device,
    *,
    tokenizer: Any = None,
) -> TextTower:
    """A ChineseCLIP model, or its text model alone, as transformers saves it.

    Args:
        config: what config.json says; model_type chinese_clip or chinese_clip_text_model.
        tokenizer: instead of the one in the folder or beside it.
    Raises:
        CheckpointError: weights or tokenizer are missing or do not fit the config.
    """
    paths = weight_files(folder)
    weights = read_weights(paths, beside=BESIDE)
    is_whole = config.get("model_type") == "chinese_clip"
    text = dict(config.get("text_config") or {}) if is_whole else config
    projection, _ = weights.get("text_projection.weight", (None, None))
    tokenizer = tokenizer_in(folder) if tokenizer is None else tokenizer
    model = empty(lambda: chinese_text_model(text, projection), folder / "config.json")
    fill(model, weights, paths[0])
    return chinese_tower(model, tokenizer, name, dtype, device)


def embedded_chinese(
    folder: Path, config: dict[str, Any], name: str, dtype: torch.dtype, device: torch.device
) -> TextTower:
    """As `chinese_from_folder`, with the official vocabulary, which comes with clipcond."""
    return chinese_from_folder(folder, config, name, dtype, device, tokenizer=chinese_tokenizer())


def chinese_text_model(config: Mapping[str, Any], projection: Tensor | None) -> nn.Module:
    """A model with a projection as wide as this one [P D]."""
    from transformers import ChineseCLIPTextConfig, ChineseCLIPTextModel

    text_config = ChineseCLIPTextConfig(**config)
    text_model = ChineseCLIPTextModel(text_config, add_pooling_layer=False)
    if projection is None:
        return ChineseTextEncoder(text_model)
    linear = nn.Linear(text_config.hidden_size, len(projection), bias=False)
    return ChineseTextEncoder(text_model, linear)


def chinese_tower(
    model: nn.Module, tokenizer: Any, name: str, dtype: torch.dtype, device: torch.device
) -> TextTower:
    return ChineseClipTower(at_rest(model, dtype, device), tokenizer, name=name)


def alt_from_folder(
    folder: Path, config: dict[str, Any], name: str, dtype: torch.dtype, device: torch.device
) -> TextTower:
    """An AltCLIP model, or its text model alone, as transformers saves it.

    Args:
        config: what config.json says; model_type altclip or altclip_text_model.
    Raises:
        CheckpointError: weights or tokenizer are missing or do not fit the config.
    """
    paths = weight_files(folder)
    weights = read_weights(paths, beside=BESIDE)
    projection, _ = weights.get("text_projection.weight", (None, None))
    tokenizer = sentence_piece.tokenizer_in(folder)
    model = empty(lambda: _alt_text_model(config, projection), folder / "config.json")
    fill(model, weights, paths[0])
    return AltClipTower(at_rest(model, dtype, device), tokenizer, name=name)


def _alt_text_model(config: dict[str, Any], projection: Tensor | None) -> nn.Module:
    """A model with a projection as wide as this one [P D]."""
    from transformers import AltCLIPTextConfig, AltCLIPTextModel

    is_whole = config.get("model_type") == "altclip"
    # old configs have both, and transformers takes the former; of the vision half's none is read
    stated = config.get("text_config_dict") or config.get("text_config") if is_whole else config
    text: Any = AltCLIPTextConfig.from_dict(stated or {})
    text_model = AltCLIPTextModel(text)
    if projection is None:
        return TextEncoder(text_model)
    return TextEncoder(text_model, nn.Linear(text.project_dim, len(projection), bias=False))


def at_rest(model: nn.Module, dtype: torch.dtype, device: torch.device) -> nn.Module:
    """A loaded model as a tower runs it: no gradients, eval mode."""
    model.requires_grad_(False)
    return model.to(device, dtype).eval()
