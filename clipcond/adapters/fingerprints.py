"""Which tower, which teacher, which UNet? Hashes that an alignment record holds.

All are over values as float16: the same in float32 and float16, in a folder and in a single file.
bfloat16 holds fewer digits than float16, so a model cast to it cannot be recognised
(`tells`): take the hash before casting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from clipcond.checkpoints.hashes import tower_hash, tower_weights
from clipcond.towers.base import TextTower

__all__ = [
    "teacher_fingerprint",
    "tells",
    "tower_fingerprint",
    "unet_family",
    "unet_fingerprint",
]

WIDTH_H, WIDTH_G = 1024, 1280
_BESIDE = ("vision_model.", "visual_projection.", "visual.", "logit_scale", "pooler.")
_KEYS_AND_VALUES = ("attn2.to_k.weight", "attn2.to_v.weight")


def tower_fingerprint(tower: TextTower) -> str:
    """`identity.tower_hash` of a tower; "" where its weights cannot be looked at.

    What lies beside the text half in a whole model does not count, nor a pooler that no state goes
    through: the tower is the same however it was wrapped.
    """
    model = getattr(tower, "model", None)
    if not isinstance(model, nn.Module) or any(t.is_meta for t in model.state_dict().values()):
        return ""
    weights = tower_weights(tower)
    return tower_hash({n: t for n, t in weights.items() if not n.startswith(_BESIDE)})


def teacher_fingerprint(towers: Sequence[TextTower]) -> str:
    """The hash of a UNet's own text tower; of a pair (SDXL) both, joined by "+"."""
    return "+".join(tower_fingerprint(tower) for tower in towers)


def unet_fingerprint(unet: nn.Module) -> str:
    """SHA-256 over what a UNet reads text with: keys and values of its cross-attention.

    In order of their names in diffusers' layout: name, shape as text, values as float16,
    little-endian. LoRA beside them does not count.

    Returns:
        64 hexadecimal digits; "" where there are no such weights, or they are not in memory.
    """
    # what peft wraps is called base_layer; its LoRA weights have names of their own
    state = {n.replace(".base_layer", ""): t for n, t in unet.state_dict().items()}
    names = sorted(name for name in state if name.endswith(_KEYS_AND_VALUES))
    if not names or any(state[name].is_meta for name in names):
        return ""
    return tower_hash({name: state[name].detach() for name in names})


def unet_family(unet: nn.Module) -> str:
    """The family of a UNet's text space, as `AlignmentRecord.family` calls it.

    Stable Diffusion 2 reads OpenCLIP-H's width, the SDXL refiner OpenCLIP-bigG's alone. What has
    another width, as the embedded model, counts as "sd1", or with a pooled vector as "sdxl"; the
    record's width tells these from the published ones.
    """
    config: Any = getattr(unet, "config", {})
    width = config.get("cross_attention_dim")
    if config.get("addition_embed_type") == "text_time":  # a pooled vector and picture sizes
        return "sdxl-refiner" if width == WIDTH_G else "sdxl"
    return "sd2" if width == WIDTH_H else "sd1"


def tells(model: nn.Module) -> bool:
    """Whether hashes of the model can be compared: its weights are in memory, not in bfloat16."""
    tensors = [t for t in model.state_dict().values() if t.is_floating_point()]
    return not any(t.is_meta or t.dtype == torch.bfloat16 for t in tensors)
