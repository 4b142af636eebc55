"""Read a text model's folder, as transformers and diffusers save it: one row of `KINDS` a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clipcond.checkpoints.header import read_header
from clipcond.checkpoints.models import (
    alt_model,
    bert_model,
    build_model,
    chinese_model,
    clip_model,
    meta_clip_2_model,
    siglip_model,
)
from clipcond.checkpoints.places import OTHER_HALF, TOKENIZER_FILES, weight_files
from clipcond.checkpoints.tensor_names import PROJECTION
from clipcond.checkpoints.tensors_on_disk import StoredTensors
from clipcond.errors import CheckpointError, excerpt
from clipcond.files import read_json
from clipcond.tokenizers import sentence_piece, siglip, word_piece
from clipcond.tokenizers.folders import model_kind, open_tokenizer
from clipcond.towers.alt_clip import AltClipTower
from clipcond.towers.base import TextTower
from clipcond.towers.chinese_clip import ChineseClipTower
from clipcond.towers.meta_clip_2 import MetaClip2Tower
from clipcond.towers.openai_clip import OpenAIClipTower
from clipcond.towers.siglip import SiglipTower

if TYPE_CHECKING:
    from transformers import CLIPTokenizer, PreTrainedTokenizerBase


def read_folder(
    folder: Path,
    kind: str | None,
    *,
    name: str,
    dtype: torch.dtype,
    device: torch.device,
    tokenizer: PreTrainedTokenizerBase | None = None,
) -> TextTower:
    """Open the text tower of a folder with a config.json, alone or with its vision half.

    Args:
        kind: a key of `KINDS`; None = as config.json says.
        tokenizer: instead of the one in the folder or next to it.
    Raises:
        CheckpointError: weights or tokenizer are missing, or do not fit the config.
    """
    config = read_json(folder / "config.json")
    found = KINDS[kind or _kind_of(config, folder)]
    weights = read_weights(weight_files(folder), dtype, leave_out=OTHER_HALF)
    is_projected = "CLIPTextModelWithProjection" in str(config.get("architectures"))
    if is_projected and PROJECTION not in weights:
        raise CheckpointError(
            f"{str(folder)!r} has no {PROJECTION}, through which its UNet reads the pooled vector",
            folder,
            "Download or save it again.",
        )
    tokenizer = found.tokenizer(folder) if tokenizer is None else tokenizer
    where = folder / "config.json"
    model = build_model(found.model, config, weights, where, dtype=dtype, device=device)
    return found.tower(model, tokenizer, name)


def read_weights(
    paths: list[Path],
    dtype: torch.dtype | None = None,
    *,
    leave_out: tuple[str, ...] = (),
    only: tuple[str, ...] = ("",),
) -> dict[str, tuple[Tensor, Path]]:
    """Read the tensors of safetensors files, each with the file that it is from.

    Args:
        dtype: what floating-point tensors are cast to, one by one; None = as in the file.
        leave_out, only: beginnings of names that are not read, and of those that are.
    Raises:
        CheckpointError: a file is cut short or no safetensors at all.
    """
    found: dict[str, tuple[Tensor, Path]] = {}
    for path in paths:
        tensors = StoredTensors(path, read_header(path).entries)
        for key in tensors:
            if key.startswith(only) and not key.startswith(leave_out):
                tensor = tensors[key]
                is_cast = dtype is not None and tensor.is_floating_point()
                found[key] = (tensor.to(dtype) if is_cast else tensor), path
    return found


def clip_tokenizer(folder: Path) -> CLIPTokenizer:
    """Open the tokenizer in a model's folder or in the one next to it: text_encoder_2, tokenizer_2.

    Raises:
        CheckpointError: there is none, or it is broken.
    """
    return open_tokenizer(folder, TOKENIZER_FILES, _read_clip, folder.parent / "tokenizer")


def _read_clip(folder: Path) -> CLIPTokenizer:
    from transformers import CLIPTokenizer

    kind = model_kind(folder)
    if kind not in (None, "BPE"):
        raise ValueError(f"its tokenizer.json is of kind {kind}, and CLIP's is BPE")
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    if tokenizer.bos_token_id is None or tokenizer.eos_token_id is None:
        raise ValueError("it has no token for the beginning or the end of a text")
    return tokenizer


def _kind_of(config: Mapping[str, Any], folder: Path) -> str:
    model_type = excerpt(str(config.get("model_type")))
    for kind, row in KINDS.items():
        if model_type in row.model_types:
            return kind
    known = ", ".join(model_type for row in KINDS.values() for model_type in row.model_types)
    raise CheckpointError(
        f"{str(folder / 'config.json')!r} says model_type {model_type!r}; known: {known}",
        folder / "config.json",
        "If it is one of these under another name, say kind=...",
    )


@dataclass(frozen=True, slots=True)
class FolderKind:
    """How a kind of model is opened from its folder.

    Attributes:
        model_types: what config.json calls it.
        model: makes it from its config and its projection [P D] or None.
        tokenizer: finds and opens its tokenizer.
        tower: makes a tower of model, tokenizer and name.
    """

    model_types: tuple[str, ...]
    model: Callable[[Mapping[str, Any], Tensor | None], nn.Module]
    tokenizer: Callable[[Path], Any]
    tower: Callable[[nn.Module, Any, str], TextTower]


KINDS: dict[str, FolderKind] = {
    "clip": FolderKind(
        ("clip_text_model", "clip"), clip_model, clip_tokenizer, OpenAIClipTower,
    ),
    "chinese_clip": FolderKind(
        ("chinese_clip", "chinese_clip_text_model"), chinese_model, word_piece.tokenizer_in,
        ChineseClipTower,
    ),
    "bert": FolderKind(
        ("bert",), bert_model, word_piece.tokenizer_in, ChineseClipTower,
    ),
    "alt_clip": FolderKind(
        ("altclip", "altclip_text_model"), alt_model, sentence_piece.tokenizer_in, AltClipTower,
    ),
    "meta_clip_2": FolderKind(
        ("metaclip_2", "metaclip_2_text_model"), meta_clip_2_model, sentence_piece.tokenizer_in,
        MetaClip2Tower,
    ),
    "siglip": FolderKind(
        ("siglip", "siglip_text_model"), siglip_model, siglip.tokenizer_in, SiglipTower,
    ),
}  # fmt: skip
