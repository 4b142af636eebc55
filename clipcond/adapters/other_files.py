"""What a file is that was taken for an adapter, told from its header."""

from __future__ import annotations

from clipcond.checkpoints.contents import describe, list_contents
from clipcond.checkpoints.header import Header

__all__ = ["what_it_is"]

# Parts of names, in this order, and what has them.
_SIGNS = (
    (("lora_", ".lora.", "lora_A", "lora_down", "hada_w1", "lokr_w1"), "a LoRA"),
    (("emb_params", "string_to_param", "clip_l", "clip_g"), "a textual inversion"),
    (("ip_adapter.", "image_proj."), "an IP-Adapter for pictures"),
    (("control_model.", "controlnet_"), "a ControlNet"),
)


def what_it_is(header: Header) -> str:
    """What a safetensors file holds that is no adapter of ours."""
    names = header.entries
    for parts, called in _SIGNS:
        if any(part in name for name in names for part in parts):
            return f"{called} ({len(names)} tensors)"
    found = list_contents(header)
    towers = f"{len(found.towers)} text tower{'s' if len(found.towers) > 1 else ''}"
    if not found.towers:
        return describe(found)
    is_whole = found.has_denoiser or found.has_vae or found.has_vision
    return f"{towers}, {describe(found)}" if is_whole else towers
