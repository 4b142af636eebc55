"""Say what a file is, from its header: a model and its parts, a LoRA, a textual inversion, ..."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clipcond.checkpoints.header import Entry, Header
from clipcond.checkpoints.inversion_terms import INVERSION_KEYS, find_terms
from clipcond.checkpoints.layouts import FoundTower, find_towers
from clipcond.errors import counted, excerpt

UNET = "model.diffusion_model."
NARROWEST = 64  # of the towers that inversions are made for
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


@dataclass(frozen=True, slots=True)
class _Other:
    """A kind of file or part that is seen and not opened as a model.

    Attributes:
        called: what it is.
        marks: parts of tensor names, one of which shows it; with ^ the beginning of a name.
        advice: how to use it, if it is all that the file is for.
    """

    called: str
    marks: tuple[str, ...]
    advice: str = ""


# Files that are made for a model. The first that is found is what the file is.
_ADDITIONS = (
    _Other(
        "a LoRA",
        (
            *("^lora_", "^lycoris_", ".lora.", ".lora_", "lora_A", "lora_down", "lora_up"),
            *("hada_w1", "lokr_w1", ".oft_", ".dora_scale"),
        ),
        "It changes a model: build the pipeline first, then pipe.load_lora_weights('FILE').",
    ),
    _Other(
        "a ControlNet",
        ("^control_model.", "^controlnet_", "^input_hint_block."),
        "Load it with diffusers' ControlNetModel.from_single_file into a ControlNet pipeline, and "
        "attach(pipe).",
    ),
    _Other(
        "an IP-Adapter for pictures",
        ("^ip_adapter.", "^image_proj."),
        "Build the pipeline first, then pipe.load_ip_adapter(...).",
    ),
    _Other(
        "a T2I-Adapter",
        ("^adapter.body.", "^body.0.in_conv."),
        "Load it with diffusers' T2IAdapter into its pipeline, and attach(pipe).",
    ),
    _Other(
        "a motion module of AnimateDiff",
        ("motion_modules.",),
        "Load it with diffusers' MotionAdapter into its pipeline, and attach(pipe).",
    ),
    _Other("a PhotoMaker", ("^qformer_perceiver.",)),
    _Other("a safety checker", ("concept_embeds_weights",), "It is a part of a model folder."),
    _Other("an upscaler", ("^conv_first.", "^body.0.rdb1.", "^model.0.weight")),
)
# Text encoders that are seen and not opened.
_OTHERS = (
    _Other("T5-XXL", ("^text_encoders.t5xxl.", "^t5xxl.")),
    _Other(
        "a Hugging Face text encoder within an open_clip model",
        ("^text.transformer.embeddings.",),
        "Open it with open_clip, and give the model to OpenClipTower.",
    ),
    _Other("a T5 text encoder within an open_clip model", ("^text.transformer.encoder.",)),
    _Other("T5", ("^encoder.block.0.layer.0.SelfAttention.q.weight",)),
    _Other(
        "AltCLIP, which is opened from its folder", ("^text_model.roberta.",)
    ),
    _Other(
        "AltCLIP's text model, which is opened from its folder", ("^pre_LN.weight",)
    ),
    _Other("SigLIP", ("^text_model.head.",)),
)  # fmt: skip
_INVERSION = _Other(
    "a textual inversion", (), "Load it into a conditioner: pipe.conditioner.load_inversion('FILE')"
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds.

    Attributes:
        family: of the denoiser, "SD1" to "Flux"; "" where there is none or an unknown one.
        text_width: of the text that the denoiser reads; 0 = unknown.
        n_channels: of the denoiser's input (9: inpainting); 0 = unknown.
        others: what else is in it, in words; the addition too.
        addition: what the file is, in words, where it is made for a model: a LoRA, a ControlNet,
            a textual inversion; "" = it is none of these.
        advice: how to use what is in it, where it is no tower and no whole model; or "".
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
    addition: str
    advice: str


def list_contents(header: Header) -> Contents:
    """List everything that names and shapes show of a file."""
    entries = header.entries
    text_width, n_channels = _text_width(entries), _n_channels(entries)
    denoiser = next((called for key, called in _DENOISERS if _either(key, entries)), "")
    towers = find_towers(header)
    addition = None if towers else _addition(entries)
    others = [other for other in _OTHERS if _shows(other, entries)]
    has_denoiser = bool(denoiser) or _begins(entries, (UNET,))
    has_vae = _begins(entries, _VAES)
    advice = next((other.advice for other in (addition, *others) if other and other.advice), "")
    if has_vae and not has_denoiser and not towers and addition is None:
        advice = "A VAE alone goes into build_pipeline(model, vae='FILE')."
    return Contents(
        header=header,
        towers=towers,
        family=denoiser or _FAMILIES.get(text_width, ""),
        has_denoiser=has_denoiser,
        text_width=text_width,
        n_channels=n_channels,
        has_vae=has_vae,
        has_vision=_begins(entries, _VISION),
        others=tuple(other.called for other in (addition, *others) if other),
        addition="" if addition is None else addition.called,
        advice=advice.replace("FILE", header.path.name),
    )


def describe(found: Contents) -> str:
    """Say in words what is in a file."""
    inputs = f", {found.n_channels} channels in" if found.n_channels else ""
    named = f" ({found.family or 'unknown'}{inputs})"
    n_tensors = len(found.header.entries)
    n_and_noun = counted(n_tensors, "tensor")
    if found.addition:
        return f"{found.addition} ({n_and_noun})"
    n_towers = len(found.towers)
    parts = [
        counted(n_towers, "text tower") if n_towers else "",
        f"a UNet or transformer{named}" if found.has_denoiser else "",
        "a VAE" if found.has_vae else "",
        "a vision tower" if found.has_vision else "",
        *found.others,
    ]
    return ", ".join(part for part in parts if part) or (
        f"{n_and_noun}, such as {excerpt(min(found.header.entries), 100)!r}"
        if n_tensors
        else "no tensors"
    )


def _addition(entries: Mapping[str, Entry]) -> _Other | None:
    """Find what kind of addition to a model a file without towers is."""
    shapes = {name: entry.shape for name, entry in entries.items()}
    found = next((other for other in _ADDITIONS if _shows(other, entries)), None)
    # bare names of any tensors could be terms; the vectors of towers have at least this width
    is_wide = any(shape[-1:] >= (NARROWEST,) for shape in shapes.values())
    is_wide = is_wide or any(map(INVERSION_KEYS.search, shapes))
    return _INVERSION if found is None and is_wide and find_terms(shapes) else found


def _shows(other: _Other, entries: Mapping[str, Entry]) -> bool:
    starts = tuple(mark[1:] for mark in other.marks if mark.startswith("^"))
    parts = [mark for mark in other.marks if not mark.startswith("^")]
    return any(name.startswith(starts) or any(p in name for p in parts) for name in entries)


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
