"""Make an encoder of a model of open_clip's classes, whatever its vision half is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from clipcond.errors import ReadingError
from clipcond.reading.encoder import DualEncoder
from clipcond.reading.preprocessing_of_files import open_clip_preprocessing
from clipcond.towers.open_clip import OpenClipTower


class OpenClipVision(nn.Module):
    """The vision half of an open_clip model."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode prepared pixels [n 3 H W] as [n P]."""
        found: Tensor | tuple[Tensor, ...] = self.visual(pixels)
        return found[0] if isinstance(found, tuple) else found  # with output_tokens, the pooled


def encoder_from_open_clip(
    model: nn.Module, tokenizer: object = None, name: str | None = None
) -> DualEncoder:
    """Make an encoder of a model that open_clip made: EVA-CLIP, ResNets, CoCa, timm's models.

    Args:
        model: what `open_clip.create_model_and_transforms` or `create_model_from_pretrained` gives,
            in eval mode.
        tokenizer: open_clip's for this model (`open_clip.get_tokenizer`); by default CLIP's BPE.
        name: its name in messages.
    Raises:
        ReadingError: it has no vision half, or is in training mode.
        TowerError: its text half cannot be run block by block, or needs a tokenizer.
        CheckpointError: it prepares pictures in a way that is not done here.
    """
    visual: Any = getattr(model, "visual", None)
    scale: Any = getattr(model, "logit_scale", None)
    if not isinstance(visual, nn.Module) or not isinstance(scale, Tensor):
        raise ReadingError(f"{type(model).__name__} is no open_clip model with a vision half")
    if model.training:
        raise ReadingError("the model is in training mode: call model.eval() first")
    own = getattr(visual, "preprocess_cfg", None)
    config: dict[str, Any] = dict(own) if isinstance(own, Mapping) else {}
    for key in ("mean", "std"):
        config.setdefault(key, getattr(visual, f"image_{key}", None))
    size: Any = getattr(visual, "image_size", None)
    size = size[0] if isinstance(size, tuple | list) else size
    if not isinstance(size, int):
        raise ReadingError(f"{type(visual).__name__} does not say the size of its pictures")
    tower = OpenClipTower(model, tokenizer, name)
    bias: Any = getattr(model, "logit_bias", None)
    return DualEncoder(
        tower,
        OpenClipVision(visual).eval(),
        open_clip_preprocessing(config, size, tower.name),
        logit_scale=math.exp(float(scale)),
        logit_bias=None if bias is None else float(bias),
        name=tower.name,
    )
