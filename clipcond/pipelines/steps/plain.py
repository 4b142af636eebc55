"""Encode a call whose prompts are the same at every step."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from clipcond.pipelines.family import Encoding
from clipcond.pipelines.lora_scale import lora_scaled
from clipcond.pipelines.prompt_embeds import make_prompt_embeds, read_arguments
from clipcond.pipelines.steps.plan import Arguments

__all__ = ["encode_plain"]


def encode_plain(encoding: Encoding, arguments: Arguments) -> Any:
    """Answer the arguments of a pipeline's method for prompts; of a joined family, in parts."""
    family = encoding.family
    if family.encode is not None:
        return family.encode(encoding, arguments)
    call = read_arguments(encoding.pipe, arguments)
    encoders, scale = family.components[::2], call.lora_scale
    with nullcontext() if scale is None else lora_scaled(encoding.pipe, encoders, scale):
        made = make_prompt_embeds(encoding, call)
    return tuple(getattr(made, name) for name in family.returns)
