"""Scale the LoRA layers of text encoders for one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clipcond.pipelines.families import Family

__all__ = ["lora_scaled"]


@contextmanager
def lora_scaled(pipe: object, family: Family, scale: float) -> Iterator[None]:
    """Let the text encoders' LoRA layers act with `scale`, as diffusers does, and undo it."""
    from diffusers.loaders import StableDiffusionLoraLoaderMixin, StableDiffusionXLLoraLoaderMixin
    from diffusers.utils import USE_PEFT_BACKEND, scale_lora_layers, unscale_lora_layers

    loaders = (StableDiffusionLoraLoaderMixin, StableDiffusionXLLoraLoaderMixin)
    models = []
    if isinstance(pipe, loaders):
        vars(pipe)["_lora_scale"] = scale
        # Without peft no LoRA can have been loaded, so there is nothing to scale.
        names = [encoder for encoder, _ in family.encoders if USE_PEFT_BACKEND]
        models = [model for model in (getattr(pipe, n, None) for n in names) if model is not None]
    for model in models:
        scale_lora_layers(model, scale)
    try:
        yield
    finally:
        for model in models:
            unscale_lora_layers(model, scale)
