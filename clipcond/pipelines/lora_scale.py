"""Scale the LoRA layers of text encoders for one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def lora_scaled(pipe: object, encoders: Sequence[str], scale: float | None) -> Iterator[None]:
    """Let the text encoders' LoRA layers act with `scale`, as diffusers does, and undo it.

    Args:
        encoders: the pipeline's attributes that hold the text encoders.
        scale: None = as they are.
    """
    from diffusers.loaders.lora_base import LoraBaseMixin
    from diffusers.utils import USE_PEFT_BACKEND, scale_lora_layers, unscale_lora_layers

    models, scaled = [], []
    if scale is not None and isinstance(pipe, LoraBaseMixin):
        vars(pipe)["_lora_scale"] = scale
        # Without peft no LoRA can have been loaded, so there is nothing to scale.
        names = [encoder for encoder in encoders if USE_PEFT_BACKEND]
        models = [model for model in (getattr(pipe, n, None) for n in names) if model is not None]
    try:
        for model in models:
            scale_lora_layers(model, scale)
            scaled.append(model)
        yield
    finally:
        for model in scaled:
            unscale_lora_layers(model, scale)
