"""The embedded default model: a miniature Stable Diffusion trained on emoji scenes."""

from pathlib import Path

__all__ = ["folder"]


def folder() -> Path:
    """The embedded pipeline's diffusers folder: text_encoder, tokenizer, unet, vae, scheduler."""
    return Path(__file__).parent / "model"
