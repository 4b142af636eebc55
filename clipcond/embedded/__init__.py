"""The embedded default model: a miniature Stable Diffusion trained on emoji scenes."""

from pathlib import Path

__all__ = ["folder"]


def folder() -> Path:
    """The diffusers folder of the embedded pipeline: text_encoder, tokenizer, unet, vae, scheduler."""
    return Path(__file__).parent / "model"
