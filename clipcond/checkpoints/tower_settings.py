"""Settings that a tower's tensors do not show, from a config next to its file or the usual ones.

`config.json` is transformers' and next to `model.safetensors`; `open_clip_config.json` is
OpenCLIP's and next to `open_clip_model.safetensors`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clipcond.checkpoints.activation import ACTIVATIONS, Activation
from clipcond.checkpoints.layouts import HEAD_WIDTH, PUBLISHED_WIDTHS, FoundTower
from clipcond.checkpoints.tensor_names import OPEN_CLIP
from clipcond.errors import CheckpointError, excerpt, warn
from clipcond.files import read_json
from clipcond.model_defaults import DEFAULTS, own_defaults

_HEADS = "heads"  # a note in a file
OPEN_CLIP_CONFIG = "open_clip_config.json"
# Parts of a text config that a CLIPTextModel has no place for, and what leaves them out.
# Source: open_clip 3.3, model.py, CLIPTextCfg.
_LEFT_OUT_BY_NONE = (
    *("hf_model_name", "hf_tokenizer_name", "tokenizer_kwargs"),
    *("ls_init_value", "act_kwargs", "norm_kwargs"),
)
_LEFT_OUT_BY_FALSE = (
    *("no_causal_mask", "embed_cls", "proj_bias", "final_ln_after_pool", "qk_norm"),
    *("scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc"),
)
_PLAIN_TEXT_CONFIG: Mapping[str, Any] = {
    **dict.fromkeys(_LEFT_OUT_BY_NONE),
    **dict.fromkeys(_LEFT_OUT_BY_FALSE, False),
    "pool_type": "argmax",
}


@dataclass(frozen=True, slots=True)
class TowerSettings:
    """Settings of a tower that no tensor shows.

    Attributes:
        n_heads: attention heads; 0 = unknown, for the width is not a multiple of 64.
        epsilon: of the layer norms.
        activation: of the MLP.
        folder: of transformers' config.json, if that belongs to the tower.
        open_clip: `text_cfg` of OpenCLIP's config, if that belongs to the tower.
        heads_are_sure: a config names the heads, or every published tower of that width has them.
        defaults: the model's own, see `own_defaults`.
    """

    n_heads: int
    epsilon: float
    activation: Activation
    folder: Path | None = None
    open_clip: Mapping[str, Any] | None = None
    heads_are_sure: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)


def usual_settings(tower: FoundTower) -> TowerSettings:
    """Take the settings of every published tower of that width."""
    n_heads, rest = divmod(tower.sizes.width, HEAD_WIDTH)
    epsilon = 1e-12 if tower.layout.kind == "chinese_clip" else 1e-5
    is_sure = tower.sizes.width in PUBLISHED_WIDTHS
    n_heads = 0 if rest else n_heads
    return TowerSettings(n_heads, epsilon, tower.activation, heads_are_sure=is_sure)


def read_settings(path: Path, tower: FoundTower, config: Path | None = None) -> TowerSettings:
    """Read a tower's settings from the config next to its file, or take the usual ones.

    Args:
        path: the file.
        config: the folder of a config.json that belongs to the tower.
    """
    usual, layout = usual_settings(tower), tower.layout
    if config is not None:
        return _from_transformers(config / "config.json", tower, usual)
    is_in_pipeline = layout.prefix not in ("", "text.")
    if is_in_pipeline or layout.kind == "chinese_clip":
        return usual
    if layout.scheme is OPEN_CLIP:
        return _from_open_clip(path.parent / OPEN_CLIP_CONFIG, tower, usual)
    return _from_transformers(path.parent / "config.json", tower, usual)


def notes_of(model: Any) -> dict[str, str]:
    """Note what a file says of a tower that has no config in it, see `with_notes`."""
    notes = {_HEADS: str(model.config.num_attention_heads)}
    own = own_defaults(model)
    return {**notes, DEFAULTS: json.dumps(dict(own))} if own else notes


def with_notes(
    settings: TowerSettings, tower: FoundTower, metadata: Mapping[str, str]
) -> TowerSettings:
    """Add what the file itself says of a tower that no config describes."""
    if settings.folder is not None or settings.open_clip is not None:
        return settings
    noted = metadata.get(_HEADS, "")
    heads = int(noted) if noted.isdecimal() and len(noted) < 5 else 0
    if heads and tower.sizes.width % heads == 0:
        settings = replace(settings, n_heads=heads, heads_are_sure=True)
    try:
        own = json.loads(metadata.get(DEFAULTS, "{}"))
    except (ValueError, RecursionError):
        own = None
    return replace(settings, defaults=own) if isinstance(own, dict) else settings


def check_plain(settings: TowerSettings, name: str) -> None:
    """Refuse a model of open_clip's that transformers' CLIPTextModel cannot compute.

    Raises:
        CheckpointError: its config has what that model has no place for.
    """
    text = settings.open_clip or {}
    for key, plain in _PLAIN_TEXT_CONFIG.items():
        value = text.get(key, plain)
        if value != plain:
            raise CheckpointError(
                f"the config of {name!r} says {key}={value!r}, which a CLIPTextModel of "
                f"transformers cannot do",
                name,
                "Open it with open_clip, and give the model to OpenClipTower.",
            )


def _from_transformers(path: Path, tower: FoundTower, usual: TowerSettings) -> TowerSettings:
    config = _read(path)
    if config.get("model_type") == "clip":
        config = {**config, **_section(config, "text_config")}
    heads, name = config.get("num_attention_heads"), config.get("hidden_act")
    epsilon = config.get("layer_norm_eps", usual.epsilon)
    is_own = config.get("hidden_size") == tower.sizes.width and isinstance(name, str)
    if not is_own or type(heads) is not int or heads < 1 or not isinstance(epsilon, float):
        return usual
    if name not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        why = f"{path.name} next to it says {excerpt(str(name))!r}, known are {known}"
        return replace(usual, n_heads=heads, epsilon=epsilon, activation=Activation("", why, False))
    activation, own = _from_config(str(name), path), _section(config, DEFAULTS)
    return TowerSettings(heads, epsilon, activation, path.parent, defaults=own)


def _from_open_clip(path: Path, tower: FoundTower, usual: TowerSettings) -> TowerSettings:
    config = _section(_read(path), "model_cfg")
    text = _section(config, "text_cfg")
    heads = text.get("heads")
    if text.get("width") != tower.sizes.width or type(heads) is not int or heads < 1:
        return usual
    name = "quick_gelu" if config.get("quick_gelu") else "gelu"
    return TowerSettings(heads, usual.epsilon, _from_config(name, path), open_clip=text)


def _from_config(name: str, path: Path) -> Activation:
    return Activation(name, f"{path.name} next to it says so", True)


def _read(path: Path) -> dict[str, Any]:
    """Read a config; {} where it is missing, or broken, which is warned of."""
    try:
        return read_json(path) if os.path.lexists(path) else {}
    except CheckpointError as error:
        warn(f"{error.message}; the settings of the tower next to it are guessed without it")
        return {}


def _section(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = config.get(key)
    return dict(found) if isinstance(found, dict) else {}
