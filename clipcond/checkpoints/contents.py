"""List what a file holds besides text towers, from its header: UNet, VAE, vision tower."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clipcond.checkpoints.header import Entry, Header
from clipcond.checkpoints.layouts import FoundTower, find_towers
from clipcond.errors import counted, excerpt

__all__ = ["FIRST_IN_UNET", "Contents", "describe", "list_contents"]

UNET = "model.diffusion_model."
FIRST_IN_UNET = f"{UNET}input_blocks.0.0.weight"
# A key of each kind of denoiser, with or without UNET before it, and its name.
_DENOISERS = (
    ("joint_blocks.0.x_block.attn.qkv.weight", "SD3"),
    ("double_blocks.0.img_attn.qkv.weight", "Flux"),
    ("down_blocks.0.resnets.0.conv1.weight", "UNet in diffusers' layout"),
    ("transformer_blocks.0.attn.to_q.weight", "transformer in diffusers' layout"),
)
# Width of the text that a UNet reads: SD1 CLIP-L, SD2 OpenCLIP-H, SDXL both, refiner bigG.
_FAMILIES = {768: "SD1", 1024: "SD2", 2048: "SDXL base", 1280: "SDXL refiner"}
_VAES = ("first_stage_model.", "vae.", "encoder.conv_in.", "decoder.conv_in.")
_VISION = (
    "vision_model.", "visual.", "cond_stage_model.model.visual.",
    "conditioner.embedders.0.model.visual.", "conditioner.embedders.1.model.visual.",
)  # fmt: skip
# Text encoders that are seen and not opened.
_OTHERS = (
    ("text_encoders.t5xxl.", "T5-XXL"),
    ("text.transformer.embeddings.", "a Hugging Face text encoder within an open_clip model"),
    ("text.transformer.encoder.", "a T5 text encoder within an open_clip model"),
    ("encoder.block.0.layer.0.SelfAttention.q.weight", "T5"),
    ("text_model.roberta.", "AltCLIP, which is opened from its folder"),
    ("pre_LN.weight", "AltCLIP's text model, which is opened from its folder"),
    ("text_model.head.", "SigLIP"),
    ("lora_te", "LoRA of a text encoder: changes to one, not one"),
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds.

    Attributes:
        family: of the denoiser, "SD1" to "Flux"; "" where there is none or an unknown one.
        text_width: of the text that the denoiser reads; 0 = unknown.
        n_channels: of the denoiser's input (9: inpainting); 0 = unknown.
    """

    header: Header
    towers: tuple[FoundTower, ...]
    family: str
    has_denoiser: bool
    text_width: int
    n_channels: int
    has_vae: bool
    has_vision: bool
    others: tuple[str, ...]


def list_contents(header: Header) -> Contents:
    """List everything that names and shapes show of a file."""
    entries = header.entries
    text_width, n_channels = _text_width(entries), _n_channels(entries)
    denoiser = next((called for key, called in _DENOISERS if _either(key, entries)), "")
    return Contents(
        header=header,
        towers=find_towers(header),
        family=denoiser or _FAMILIES.get(text_width, ""),
        has_denoiser=bool(denoiser) or _begins(entries, (UNET,)),
        text_width=text_width,
        n_channels=n_channels,
        has_vae=_begins(entries, _VAES),
        has_vision=_begins(entries, _VISION),
        others=tuple(called for start, called in _OTHERS if _begins(entries, (start,))),
    )


def describe(found: Contents) -> str:
    """Say in words what is in a file besides text towers."""
    inputs = f", {found.n_channels} channels in" if found.n_channels else ""
    named = f" ({found.family or 'unknown'}{inputs})"
    parts = [
        f"a UNet or transformer{named}" if found.has_denoiser else "",
        "a VAE" if found.has_vae else "",
        "a vision tower" if found.has_vision else "",
        *found.others,
    ]
    n_tensors = len(found.header.entries)
    return ", ".join(part for part in parts if part) or (
        f"{counted(n_tensors, 'tensor')}, such as {excerpt(min(found.header.entries), 100)!r}"
        if n_tensors
        else "no tensors"
    )


def _begins(entries: Mapping[str, Entry], starts: tuple[str, ...]) -> bool:
    return any(name.startswith(starts) for name in entries)


def _either(key: str, entries: Mapping[str, Entry]) -> bool:
    return key in entries or UNET + key in entries


def _text_width(entries: Mapping[str, Entry]) -> int:
    for name, entry in entries.items():
        is_unet = name.startswith((UNET, "down_blocks."))
        if is_unet and name.endswith("attn2.to_k.weight") and len(entry.shape) == 2:
            return entry.shape[1]
    return 0


def _n_channels(entries: Mapping[str, Entry]) -> int:
    for name in (FIRST_IN_UNET, "conv_in.weight"):
        entry = entries.get(name)
        if entry is not None and len(entry.shape) == 4:
            return entry.shape[1]
    return 0
