"""The pages' table of towers: which there are, what they are opened from, what they fit.

Sizes and what a UNet was trained with are written down here, from the models' published configs;
a test builds every tower of OpenAI's kind at its size. Which rows are shown, and which files they
are opened from, the package says itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from clipcond import towers
from clipcond.checkpoints.opening import KINDS

# The width of what a UNet's cross-attention reads; XL's is that of two towers side by side.
UNETS = {"SD1": 768, "SD2": 1024, "SDXL refiner": 1280, "embedded": 128}
PAIR = (768, 1280)
ENDS = {
    "SDXL, first": "SDXL",
    "SDXL, second": "SDXL",
    "SD3, first": "SD3",
    "SD3, second": "SD3",
    "open_clip, text half of its own": "open_clip",
    "transformers, Chinese": "transformers",
}
BPE, WORD_PIECE, LONG, SIGLIP = 77, 52, 248, 64
EMBEDDED = ("embedded", "embedded-zh")


@dataclass(frozen=True, slots=True)
class Row:
    """A tower.

    Args:
        shape: width, heads, blocks, width of the pooled vector; of a pair both.
        tower: its class in `clipcond.towers`.
        kind: for `load_tower(kind=...)`.
        places: rows of `clipcond.checkpoints.layouts.LAYOUTS` it is found at.
        trained_with: the models whose UNet, or transformer, was trained on it.
    """

    name: str
    shape: tuple[tuple[int, int, int, int], ...]
    tower: str
    kind: str
    places: tuple[str, ...] = ()
    context: int = BPE
    trained_with: str = "-"

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(width for width, *_ in self.shape)


OPEN = ("open_clip", "open_clip, text half of its own")
CHINESE = ("cn_clip", "transformers, Chinese")
CLIP_L, CLIP_H, BIG_G = (768, 12, 12, 768), (1024, 16, 24, 1024), (1280, 20, 32, 1280)


def _openai(name: str, *shape: tuple[int, int, int, int], **more: Any) -> Row:
    return Row(name, shape, "OpenAIClipTower", "clip", **more)


def _live(name: str, *shape: int) -> Row:
    return Row(name, (shape,), "OpenClipTower", "open_clip_live")  # type: ignore[arg-type]


def _eva(name: str, *shape: int) -> Row:
    return Row(f"EVA-CLIP {name}", (shape,), "EvaClipTower", "eva_clip", ("EVA-CLIP",))  # type: ignore[arg-type]


def _alt(name: str, *shape: int, trained_with: str) -> Row:
    kind = ("AltClipTower", "alt_clip")
    return Row(name, (shape,), *kind, trained_with=trained_with)  # type: ignore[arg-type]


def _other(name: str, tower: str, *shape: int) -> Row:
    kind, context = {"MetaClip2Tower": ("meta_clip_2", BPE), "SiglipTower": ("siglip", SIGLIP)}[
        tower
    ]
    return Row(name, (shape,), tower, kind, context=context)  # type: ignore[arg-type]


def _chinese(name: str, *shape: int) -> Row:
    kind = ("ChineseClipTower", "chinese_clip", CHINESE, WORD_PIECE)
    return Row(f"ChineseCLIP {name}", (shape,), *kind)  # type: ignore[arg-type]


ROWS = (
    _openai(
        "OpenAI CLIP ViT-B/32, B/16",
        (512, 8, 12, 512),
        places=("transformers", *OPEN),
    ),
    _openai(
        "OpenAI CLIP ViT-L/14",
        CLIP_L,
        places=("SD1", "SDXL, first", "SD3, first", "CLIP-L of a pair", "transformers", *OPEN),
        trained_with="SD1, SDXL (first), SD3 (first)",
    ),
    _openai(
        "OpenCLIP ViT-H/14",
        CLIP_H,
        places=("SD2", "transformers", *OPEN),
        trained_with="SD2 (23 of its blocks)",
    ),
    _openai(
        "OpenCLIP ViT-bigG/14",
        BIG_G,
        places=(
            *("SDXL, second", "SDXL refiner", "SD3, second", "CLIP-G of a pair"),
            *("transformers", *OPEN),
        ),
        trained_with="SDXL (second), SDXL refiner, SD3 (second)",
    ),
    _openai(
        "CLIP-L and bigG, the pair",
        CLIP_L,
        BIG_G,
        places=("SDXL, first", "SDXL, second", "SD3, first", "SD3, second"),
        trained_with="SDXL; SD3 together with T5",
    ),
    _openai(
        "LongCLIP-L",
        CLIP_L,
        places=("transformers",),
        context=LONG,
        trained_with="none; made from SD1's tower",
    ),
    _openai(EMBEDDED[0], (128, 4, 6, 128), trained_with="embedded"),
    _live("OpenCLIP xlm-roberta-base-ViT-B-32", 768, 12, 12, 512),
    _live("OpenCLIP xlm-roberta-large-ViT-H-14", 1024, 16, 24, 1024),
    _eva("EVA01-g", 768, 12, 12, 1024),
    _eva("EVA01-g-plus", 1024, 16, 24, 1024),
    _eva("EVA02-B", 512, 8, 12, 512),
    _eva("EVA02-L, L-336", 768, 12, 12, 768),
    _eva("EVA02-E", 1024, 16, 24, 1024),
    _eva("EVA02-E-plus", 1280, 20, 32, 1024),
    _chinese("RN50 (RBT3)", 768, 12, 3, 1024),
    _chinese("ViT-B/16", 768, 12, 12, 512),
    _chinese("ViT-L/14", 768, 12, 12, 768),
    _chinese("ViT-L/14-336", 768, 12, 12, 768),
    _chinese("ViT-H/14", 1024, 16, 24, 1024),
    Row(
        EMBEDDED[1],
        ((128, 4, 6, 128),),
        "ChineseClipTower",
        "chinese_clip",
        context=WORD_PIECE,
        trained_with="none; embedded through its adapter",
    ),
    _alt(
        "AltCLIP",
        *(768, 16, 24, 768),  # what is read of blocks 1024 wide
        trained_with="none; AltDiffusion's UNet with one of its kind",
    ),
    _other("MetaCLIP 2 worldwide ViT-H/14", "MetaClip2Tower", 1024, 16, 24, 1024),
    _other("SigLIP, SigLIP 2 B/16", "SiglipTower", 768, 12, 12, 768),
    _other("SigLIP, SigLIP 2 So400m", "SiglipTower", 1152, 16, 27, 1152),
)


def shown() -> tuple[Row, ...]:
    """The rows whose tower the package has."""
    return tuple(row for row in ROWS if row.tower in towers.__all__)


def cells(row: Row) -> list[str]:
    """One line of the table."""
    widths = " + ".join(map(str, row.widths))
    total = f"{widths} = {sum(row.widths)}" if len(row.widths) > 1 else widths
    return [
        row.name, f"`{row.tower}`", files(row), total, str(row.context), by_shape(row),
        row.trained_with if row.trained_with != "-" else "none",
    ]  # fmt: skip


def files(row: Row) -> str:
    """What it is opened from, as far as the package goes."""
    if row.name in EMBEDDED:
        return "comes with the package"
    folders = ["transformers and diffusers folders"] if row.kind in KINDS else []
    places = [ENDS.get(place, place) for place in row.places if place in known_places()]
    single = [f"files of {', '.join(dict.fromkeys(places))}"] if places else []
    return "; ".join([*folders, *single]) or "a model made by open_clip"


def known_places() -> tuple[str, ...]:
    """Where the package finds towers in single files."""
    name = "clipcond.checkpoints.layouts"
    if find_spec(name) is None:
        return ()
    return tuple(layout.place for layout in import_module(name).LAYOUTS)


def by_shape(row: Row) -> str:
    """The UNets that read embeddings as wide; half of XL's pair is one tower."""
    if len(row.widths) > 1:
        return "SDXL" if row.widths == PAIR else "none"
    (width,) = row.widths
    alone = [name for name, reads in UNETS.items() if reads == width]
    half = [f"SDXL ({end})" for end, w in zip(("first", "second"), PAIR, strict=True) if w == width]
    if row.context < BPE:  # chunks of unlike lengths cannot be joined
        half = []
    return ", ".join([*alone, *half]) or "none"
