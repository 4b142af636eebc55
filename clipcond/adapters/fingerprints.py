"""Hashes of towers and UNets, as an alignment record holds them.

All are over values as float16: the same in float32 and float16, in a folder and in a single file.
bfloat16 has fewer digits than float16, so a model cast to it cannot be recognised
(`is_comparable`): take the hash before casting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from clipcond.checkpoints.hashes import tower_hash, tower_weights
from clipcond.towers.base import TextTower

WIDTH_H, WIDTH_G = 1024, 1280
_IGNORED = ("vision_model.", "visual_projection.", "visual.", "logit_scale", "pooler.")
_KEYS_AND_VALUES = ("attn2.to_k.weight", "attn2.to_v.weight")


def tower_fingerprint(tower: TextTower) -> str:
    """Hash a tower's weights (`hashes.tower_hash`); "" if they are not in memory.

    Image-branch weights and unused poolers are left out, so that a text encoder has one hash by
    itself and within a whole model.
    """
    model = getattr(tower, "model", None)
    if not isinstance(model, nn.Module) or any(t.is_meta for t in model.state_dict().values()):
        return ""
    weights = tower_weights(tower)
    return tower_hash({n: t for n, t in weights.items() if not n.startswith(_IGNORED)})


def teacher_fingerprint(towers: Sequence[TextTower]) -> str:
    """Hash a UNet's own text tower; for a pair (SDXL) both, joined by "+"."""
    return "+".join(tower_fingerprint(tower) for tower in towers)


def unet_fingerprint(unet: nn.Module) -> str:
    """Hash the weights with which a UNet reads text: keys and values of its cross-attention.

    SHA-256 over them in the order of their names in diffusers' layout: name, shape as text, values
    as float16, little-endian. LoRA weights are left out.

    Returns:
        64 hexadecimal digits; "" if there are no such weights, or they are not in memory.
    """
    # peft renames a wrapped layer to base_layer; its LoRA weights have other names
    state = {n.replace(".base_layer", ""): t for n, t in unet.state_dict().items()}
    names = sorted(name for name in state if name.endswith(_KEYS_AND_VALUES))
    if not names or any(state[name].is_meta for name in names):
        return ""
    return tower_hash({name: state[name].detach() for name in names})


def unet_family(unet: nn.Module) -> str:
    """Find the family of a UNet's text space, as in `AlignmentRecord.family`.

    Stable Diffusion 2 has OpenCLIP-H's width, the SDXL refiner OpenCLIP-bigG's. A UNet of another
    width, as the embedded one, counts as "sd1", or with a pooled vector as "sdxl"; the record's
    width distinguishes it from the published ones.
    """
    config: Any = getattr(unet, "config", {})
    width = config.get("cross_attention_dim")
    if config.get("addition_embed_type") == "text_time":  # a pooled vector and picture sizes
        return "sdxl-refiner" if width == WIDTH_G else "sdxl"
    return "sd2" if width == WIDTH_H else "sd1"


def is_comparable(model: nn.Module) -> bool:
    """Whether the model's hash can be compared: its weights are in memory, not in bfloat16."""
    tensors = [t for t in model.state_dict().values() if t.is_floating_point()]
    return not any(t.is_meta or t.dtype == torch.bfloat16 for t in tensors)
