"""Towers from state dicts in the layouts of open_clip, EVA-CLIP and cn_clip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipcond.checkpoints.activation import MORE_POSITIONS, of_open_clip
from clipcond.checkpoints.cn_clip_layout import as_transformers
from clipcond.checkpoints.long_clip import joined_positions
from clipcond.checkpoints.model_folders import chinese_text_model, chinese_tower
from clipcond.checkpoints.open_clip_layout import Half, text_half, text_prefix
from clipcond.checkpoints.open_clip_mapping import head_count, tower_of
from clipcond.checkpoints.weights import empty, fill
from clipcond.errors import CheckpointError, ClipcondWarning, warn
from clipcond.tokenizers.word_piece import chinese_tokenizer
from clipcond.towers.base import TextTower

__all__ = ["from_cn_clip", "from_eva", "from_open_clip", "guess_activation", "looks_open_clip"]

# How the official training code wraps a state dict. Source: baaivision/EVA,
# EVA-CLIP/rei/eva_clip/factory.py, load_state_dict.
WRAPPERS = ("model", "module", "state_dict")
# Parts of a text config that a CLIPTextModel has no place for, and what leaves them out.
# Source: open_clip 3.3, model.py, CLIPTextCfg.
PLAIN_CONFIG: Mapping[str, Any] = {
    "hf_model_name": None,
    "hf_tokenizer_name": None,
    "tokenizer_kwargs": None,
    "no_causal_mask": False,
    "embed_cls": False,
    "pool_type": "argmax",
    "proj_bias": False,
    "ls_init_value": None,
    "act_kwargs": None,
    "norm_kwargs": None,
    "final_ln_after_pool": False,
    "qk_norm": False,
    "scaled_cosine_attn": False,
    "scale_heads": False,
    "scale_attn_inner": False,
    "scale_attn": False,
    "scale_fc": False,
}


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


def looks_open_clip(weights: Mapping[str, Any]) -> bool:
    """Whether names are those of a text model in open_clip's layout, whatever stands before them.

    `text_prefix` says what does: "", "text.", "cond_stage_model.model."...
    """
    return text_prefix(weights) is not None


def from_open_clip(
    weights: Mapping[str, Tensor],
    *,
    name: str,
    quick_gelu: bool | None = None,
    config: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> TextTower:
    """A tower from a state dict in open_clip's layout, run by transformers.

    Args:
        weights: flat or with `text.`; a vision half and other towers in it are ignored. OpenAI's,
            LongCLIP's, and the parts of SD2 and SDXL files are laid out so too.
        name: for messages and reports; also looked at for the activation.
        quick_gelu: the activation, which no file states; None = from `config`, else a guess.
        config: `model_cfg` of an open_clip_config.json.
    Raises:
        CheckpointError: no such layout, a tensor missing or misshapen, another vocabulary than
            CLIP's, or something that a CLIPTextModel cannot do.
    """
    text_config = dict((config or {}).get("text_cfg") or {})
    _refuse_special(text_config, name)
    is_long = any(key.endswith(MORE_POSITIONS) for key in weights)
    half = text_half(joined_positions(weights) if is_long else weights, name)
    if quick_gelu is None and config is not None:
        quick_gelu = bool(config.get("quick_gelu", False))
    if quick_gelu is None:
        quick_gelu = _guess(weights, half, name)
    heads = head_count(half, text_config.get("heads"), name)
    act = "quick_gelu" if quick_gelu else "gelu"
    return tower_of(half, heads=heads, act=act, name=name, dtype=dtype, device=device)


def guess_activation(
    keys: Mapping[str, Any], *, name: str, width: int, depth: int
) -> tuple[str, str, bool]:
    """The activation of a model in open_clip's layout, why, and whether that is certain.

    Files do not state it, and the same shapes exist with both. A wrong one is hard to see: results
    still resemble the right ones.
    """
    is_half = str(text_prefix(keys)).endswith("text.")
    guess = of_open_clip(keys, name=name, width=width, depth=depth, is_half=is_half)
    return guess.name, guess.why, guess.is_sure


def _guess(weights: Mapping[str, Tensor], half: Half, name: str) -> bool:
    act, why, is_certain = guess_activation(weights, name=name, width=half.width, depth=half.depth)
    if not is_certain:
        warn(
            ClipcondWarning(
                f"{name!r} does not say its activation, and models of its size have gelu or "
                f"quick_gelu; {act} is used, as {why}. Say quick_gelu=True or False."
            )
        )
    return act == "quick_gelu"


def _refuse_special(text_config: Mapping[str, Any], name: str) -> None:
    for key, plain in PLAIN_CONFIG.items():
        value = text_config.get(key, plain)
        if value != plain:
            raise CheckpointError(
                f"the config of {name!r} says {key}={value!r}, which a CLIPTextModel of "
                f"transformers cannot do",
                name,
                "Open it with open_clip, and give the model to OpenClipTower.",
            )


def from_cn_clip(
    weights: Mapping[str, Tensor],
    *,
    name: str,
    vocabulary: Path | None = None,
    n_heads: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> TextTower:
    """The text half of an official checkpoint: RBT3, B/16, L/14, L/14-336 or H/14.

    Sizes are read from the tensors. The activation is exact gelu in all of them.

    Args:
        weights: what cn_clip saves as `state_dict`, with `module.` before every name or without.
            Its vision half (`visual.*`) and a pooler are ignored.
        name: how reports and messages call the tower; the file's name.
        vocabulary: a vocab.txt instead of the official one, which comes with clipcond.
        n_heads: attention heads, which no tensor tells; by default one for every 64 of the width.
    Raises:
        CheckpointError: a tensor is missing or has another shape.
    """
    where = Path(name)
    text, renamed = as_transformers(weights, name, n_heads)
    projection = renamed.get("text_projection.weight")
    model = empty(lambda: chinese_text_model(text, projection), where)
    fill(model, {key: (tensor, where) for key, tensor in renamed.items()}, where)
    return chinese_tower(model, chinese_tokenizer(vocabulary), name, dtype, torch.device(device))
