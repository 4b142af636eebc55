"""Make the tower of a pipeline's own text encoder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import nn

from clipcond.towers import ChineseClipTower, OpenAIClipTower, TextTower

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def is_bert(model: object) -> bool:
    """Whether a text encoder is a bare BERT, as Taiyi's."""
    return getattr(getattr(model, "config", None), "model_type", None) == "bert"


def masks_padding(model: object) -> bool:
    """Whether a text encoder's configuration asks for it, which some classes of diffusers read."""
    return bool(getattr(getattr(model, "config", None), "use_attention_mask", False))


def own_tower(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, *, context_length: int | None = None
) -> TextTower | None:
    """Make the tower that runs a text encoder as plain diffusers does; None if there is none.

    A BERT, as Taiyi's, gets chunks of the tokenizer's length, and attends to padding unless its
    configuration says otherwise: so its UNet was trained, and the numbers are diffusers' own. A
    `ChineseClipTower` of yours masks padding and has chunks of 52.

    Args:
        context_length: of CLIP's chunks, where the model's own is another.
    Raises:
        TowerError: the tokenizer is of another kind than the model.
    """
    if OpenAIClipTower.is_model(model):
        return OpenAIClipTower(model, tokenizer, context_length=context_length)
    if not is_bert(model):
        return None
    config: Any = model.config
    length = min(tokenizer.model_max_length, config.max_position_embeddings)
    tower = ChineseClipTower(model, tokenizer, context_length=length)
    tower.special = replace(tower.special, mask_padding=masks_padding(model))
    return tower
