"""EVA-CLIP: its text towers are plain CLIP text transformers, in files of two kinds."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from clipcond.checkpoints.open_clip_layout import text_half
from clipcond.checkpoints.open_clip_mapping import head_count, tower_of
from clipcond.towers.base import TextTower
from clipcond.towers.open_clip_text import Anatomy, LiveTower, Resblocks, text_module

__all__ = ["EvaClipTower", "from_eva"]

# How the official training code wraps a state dict. Source: baaivision/EVA,
# EVA-CLIP/rei/eva_clip/factory.py, load_state_dict.
WRAPPERS = ("model", "module", "state_dict")


class EvaClipTower(LiveTower):
    """An EVA-CLIP model, of open_clip's classes or of the official package's, or its `.text`."""

    def _anatomy(self) -> Anatomy:
        return Resblocks(text_module(self.model))


def from_eva(
    weights: Mapping[str, Tensor],
    *,
    name: str,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> TextTower:
    """A tower from an EVA-CLIP state dict, run by transformers.

    EVA01-g, g-plus; EVA02-B, L, L-336, E, E-plus: as open_clip has them (`text.*`), and as the
    official package saves them (also flat, with `module.`, within "model", "module" or
    "state_dict", in mixed precision). All have exact gelu: neither open_clip's configs nor the
    official ones name quick_gelu. Projections need not be square (768 x 1024, 1280 x 1024).

    Raises:
        CheckpointError: no such layout, a tensor missing or misshapen.
    """
    wrapped = next(
        (weights[key] for key in WRAPPERS if isinstance(weights.get(key), Mapping)), None
    )
    half = text_half(weights if wrapped is None else wrapped, name)  # type: ignore[arg-type]
    heads = head_count(half, None, name)
    return tower_of(half, heads=heads, act="gelu", name=name, dtype=dtype, device=device)
