"""The embedded default model: a miniature Stable Diffusion trained on emoji scenes."""

from pathlib import Path

__all__ = ["adapter_file", "folder", "image_adapter_file"]

ADAPTERS = {"embedded-zh": Path(__file__).parent / "zh" / "adapter.safetensors"}


def folder() -> Path:
    """Locate the embedded pipeline: a diffusers folder with text_encoder, tokenizer, unet, vae."""
    return Path(__file__).parent / "model"


def adapter_file(tower: str) -> Path | None:
    """Locate the adapter of an embedded tower, by its name, into the embedded model's UNet."""
    return ADAPTERS.get(tower)


def image_adapter_file() -> Path:
    """Locate the adapter of pictures, as the embedded vision tower encodes them."""
    return Path(__file__).parent / "images" / "adapter.safetensors"
