"""What the configuration beside a single file says that its tensors cannot: heads, activation.

`config.json` is transformers' and lies beside `model.safetensors`; `open_clip_config.json` is
OpenCLIP's and lies beside `open_clip_model.safetensors`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipcond.checkpoints.activation import ACTIVATIONS, Activation
from clipcond.checkpoints.layouts import HEAD_WIDTH, FoundTower

__all__ = ["OPEN_CLIP_CONFIG", "Facts", "facts"]

OPEN_CLIP_CONFIG = "open_clip_config.json"


@dataclass(frozen=True, slots=True)
class Facts:
    """Heads, layer norm's epsilon and activation of a tower, from a configuration or the usual.

    No heads: the width is none that CLIP's text towers have. `folder`: of transformers'
    configuration; `open_clip`: OpenCLIP's, its `model_cfg`.
    """

    n_heads: int
    epsilon: float
    activation: Activation
    folder: Path | None = None
    open_clip: Mapping[str, Any] | None = None


def facts(path: Path, tower: FoundTower) -> Facts:
    """What is known of a tower beside its tensors."""
    n_heads, rest = divmod(tower.sizes.width, HEAD_WIDTH)
    usual = Facts(0 if rest else n_heads, 1e-5, tower.activation)
    if tower.layout.prefix.startswith(("cond", "text_encoders")) or tower.layout.form == "bert":
        return usual
    if tower.layout.form == "open_clip":
        return _of_open_clip(path.parent / OPEN_CLIP_CONFIG, tower, usual)
    return _of_transformers(path.parent / "config.json", tower, usual)


def _of_transformers(path: Path, tower: FoundTower, usual: Facts) -> Facts:
    config = _values(path)
    if config.get("model_type") == "clip":
        config = {**config, **_dict(config, "text_config")}
    heads, name = config.get("num_attention_heads"), config.get("hidden_act")
    epsilon = config.get("layer_norm_eps", usual.epsilon)
    is_own = config.get("hidden_size") == tower.sizes.width and name in ACTIVATIONS
    if not is_own or type(heads) is not int or heads < 1 or not isinstance(epsilon, float):
        return usual
    activation = Activation(str(name), f"{path.name} beside it says so", True)
    return Facts(heads, epsilon, activation, path.parent)


def _of_open_clip(path: Path, tower: FoundTower, usual: Facts) -> Facts:
    config = _dict(_values(path), "model_cfg")
    text = _dict(config, "text_cfg")
    heads = text.get("heads")
    if text.get("width") != tower.sizes.width or type(heads) is not int or heads < 1:
        return usual
    name = "quick_gelu" if config.get("quick_gelu") else "gelu"
    activation = Activation(name, f"{path.name} beside it says so", True)
    return Facts(heads, usual.epsilon, activation, open_clip=config)


def _values(path: Path) -> dict[str, Any]:
    """A configuration's values; none where it is missing or broken: nobody asked for it."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _dict(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return dict(found) if isinstance(found, dict) else {}
