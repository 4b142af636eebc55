"""Settings of a vision half that its tensors do not show, from a config next to its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipcond.checkpoints.activation import ACTIVATIONS
from clipcond.checkpoints.layouts import HEAD_WIDTH
from clipcond.checkpoints.tensor_names import VISION_TRANSFORMERS
from clipcond.checkpoints.tower_settings import OPEN_CLIP_CONFIG
from clipcond.checkpoints.vision_files import FoundVision
from clipcond.errors import CheckpointError, warn
from clipcond.files import read_json

# From ViT-L on, published vision transformers have 16 heads: H's are 80 wide, g's 88, bigG's 104.
# Source: open_clip 3.3, model_configs
MOST_HEADS = 16
# What a CLIPVisionModel has no place for, and the value that leaves it out.
# Source: open_clip 3.3, model.py, CLIPVisionCfg
_PLAIN: Mapping[str, Any] = {
    **dict.fromkeys(("ls_init_value", "act_kwargs", "norm_kwargs", "timm_model_name")),
    **dict.fromkeys(("attentional_pool", "final_ln_after_pool", "no_ln_pre", "qk_norm"), False),
    "pool_type": "tok",
}


@dataclass(frozen=True, slots=True)
class VisionSettings:
    """Heads, activation and the epsilon of the norms of a vision transformer."""

    n_heads: int
    activation: str
    epsilon: float = 1e-5


def read_vision_settings(path: Path, found: FoundVision, activation: str | None) -> VisionSettings:
    """Read the settings of a vision half from the config next to its file, or take the usual ones.

    Args:
        activation: the text half's, where the same holds for both.
    Raises:
        CheckpointError: the config has what transformers' model has no place for, or heads or
            activation are unknown.
    """
    width = found.sizes.width
    if found.scheme is VISION_TRANSFORMERS:
        own = _section(path.parent / "config.json", "vision_config")
        heads, act = own.get("num_attention_heads"), own.get("hidden_act", activation)
        epsilon = own.get("layer_norm_eps", 1e-5)
    else:
        own = _section(path.parent / OPEN_CLIP_CONFIG, "model_cfg", "vision_cfg")
        _refuse_unusual(own, path)
        head_width = own.get("head_width", HEAD_WIDTH if own else None)
        heads = width // head_width if isinstance(head_width, int) and head_width > 0 else None
        act, epsilon = activation, 1e-5
    is_own = own.get("hidden_size", own.get("width")) == width
    if not is_own or type(heads) is not int:
        heads = min(width // HEAD_WIDTH, MOST_HEADS)
        if width % HEAD_WIDTH:
            warn(
                f"the number of heads of the vision half of {path.name} is a guess: "
                f"{max(heads, 1)}; with another number its embeddings are wrong. Put the model's "
                "config next to the file."
            )
    if heads < 1 or width % heads or act not in ACTIVATIONS:
        raise CheckpointError(
            f"{str(path)!r}: nothing says heads and activation of its vision half, {width} wide",
            path,
            "Put the model's config.json or open_clip_config.json next to the file.",
        )
    return VisionSettings(heads, str(act), float(epsilon))


def _refuse_unusual(config: Mapping[str, Any], path: Path) -> None:
    for key, plain in _PLAIN.items():
        if config.get(key, plain) != plain:
            raise CheckpointError(
                f"the config of {str(path)!r} says {key}={config[key]!r}, which a CLIPVisionModel "
                "of transformers cannot do",
                path,
                "Open it with open_clip, and give the model to encoder_from_open_clip.",
            )


def _section(path: Path, *keys: str) -> dict[str, Any]:
    found: object = read_json(path) if os.path.lexists(path) else {}
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return dict(found) if isinstance(found, dict) else {}
