"""Guess the activation of a tower's MLP, which no tensor shows.

A wrong one is hard to see: results still resemble the right ones (cosine 0.9999 on three layers).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePath

ACTIVATIONS = ("gelu", "quick_gelu")
# Names of models trained with quick_gelu. Source: open_clip 3.3, pretrained.py, the tags with
# quick_gelu=True; laion400m is left out, for only its ViT-B-32 is one of them.
QUICK = re.compile(
    r"quickgelu|openai|metaclip(?![-_]?2|_altogether)|dfn[25]b(?!_s39b)|yfcc15m|cc12m"
)
# Entries that only OpenAI's own files have, and LongCLIP's second table of positions.
OPENAI_ENTRIES = ("input_resolution", "context_length", "vocab_size")
MORE_POSITIONS = "positional_embedding_res"
# Activation by width and blocks of a tower alone in its file, and which model has that shape.
_SHAPES = {
    (512, 12): ("quick_gelu", "OpenAI's ViT-B"),
    (768, 12): ("quick_gelu", "OpenAI's ViT-L"),
    (1024, 23): ("gelu", "SD2's tower"),
    (1024, 24): ("gelu", "OpenCLIP's ViT-H"),
    (1280, 32): ("gelu", "OpenCLIP's ViT-bigG"),
}
# Widths and depths that no model but H and bigG has, nearly all of which have gelu.
LARGE = {(1024, 24), (1280, 32)}


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation's name ("" = unknown), why it is this one, and whether that is certain."""

    name: str
    why: str
    is_sure: bool


def open_clip_activation(
    keys: Collection[str], width: int, depth: int, *, name: str, is_half: bool
) -> Activation:
    """Guess the activation of a model in open_clip's layout.

    Args:
        keys: all names in the file.
        name: of the file; its last two parts are looked at.
        is_half: the text half is a model of its own (`text.*`).
    """
    shown = "/".join(PurePath(name).parts[-2:]).lower()
    word = QUICK.search(shown)
    if word:
        return Activation("quick_gelu", f"its name says {word[0]}", True)
    if all(entry in keys for entry in OPENAI_ENTRIES):
        return Activation("quick_gelu", "it is OpenAI's own file", True)
    if any(key.endswith(MORE_POSITIONS) for key in keys):
        return Activation("quick_gelu", "it is LongCLIP, made from OpenAI's", True)
    if is_half:
        why = "no open_clip model with this layout and CLIP's vocabulary has another"
        return Activation("gelu", why, True)
    if (width, depth) in LARGE:
        return Activation("gelu", "nearly all models of this size have it", True)
    why = "most open_clip models of this size have it; OpenAI's have quick_gelu"
    return Activation("gelu", why, False)


def activation_by_shape(width: int, depth: int) -> Activation:
    """Guess the activation of a CLIP text model alone in its file, in transformers' layout."""
    name, whose = _SHAPES.get((width, depth), ("", ""))
    if not name:
        return Activation("", f"no model {width} wide with {depth} layers is known", False)
    return Activation(name, f"its shape is that of {whose}", name == "gelu")
