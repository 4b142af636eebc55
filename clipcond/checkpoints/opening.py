"""Open a text tower from a name, a file, a folder or a hub id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from clipcond.checkpoints.file_formats import read_any_header
from clipcond.checkpoints.folders import KINDS, read_folder
from clipcond.checkpoints.layouts import LAYOUTS, find_towers
from clipcond.checkpoints.places import (
    NAMES,
    OPEN_CLIP_WEIGHTS,
    PIPELINE_INDEX,
    encoders_in,
    find_folder,
    find_pickle,
    model_folder,
    split_part,
)
from clipcond.checkpoints.single_file import open_file
from clipcond.checkpoints.tower_choice import TowerChoice
from clipcond.checkpoints.tower_settings import OPEN_CLIP_CONFIG
from clipcond.errors import CheckpointError, UnknownNameError, warn
from clipcond.files import local_path
from clipcond.locks import LOADING
from clipcond.tokenizers.word_piece import chinese_tokenizer
from clipcond.towers.base import TextTower

# Tokenizers of those of them that give other ids than the one in their folder.
TOKENIZERS: dict[str, Callable[[], Any]] = {"embedded-zh": chinese_tokenizer}


def load_tower(
    source: str | PathLike[str],
    kind: str | None = None,
    *,
    part: int | None = None,
    activation: str | None = None,
    full_depth: bool = False,
    allow_pickle: bool = False,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> TextTower:
    """Open a text tower.

    A single file may be a whole checkpoint: of everything in it only the tower is read. Stable
    Diffusion 2's holds 24 blocks, of which its UNet was trained on 23; these are what is opened, as
    diffusers does, so that clip skip counts alike from file and folder: 1 is the trained layer. The
    number of heads, which no tensor shows, is that of the configuration next to the file, or one
    for every 64 of the width, with a warning if no published tower is so wide.

    Args:
        source: a name ("embedded", "embedded-zh"), a folder (of a diffusers pipeline, or of one
            transformers text model with its tokenizer in it or next to it), a file, or a hub id;
            "...#2" is part 2. Of a model with a pair of towers, say which, or see
            `Conditioner.from_model`.
        kind: what it must be: "clip", "open_clip", "eva_clip", "chinese_clip", "alt_clip", "bert",
            "meta_clip_2", "siglip"; None = anything.
        part: which of several towers, from 1: of a file as `clipcond checkpoint` numbers them, of
            a pipeline its text_encoder, text_encoder_2, ...
        activation: "gelu" or "quick_gelu", where a file does not say and the guess is wrong.
        full_depth: also the 24th block and the projection of Stable Diffusion 2's file.
        allow_pickle: read weights, and nothing else, out of a .pt, .ckpt or .bin file.
        dtype, device: of the loaded weights.
    Raises:
        CheckpointError: not found, incomplete, or not what its config says; nothing stays loaded.
        UnknownNameError: no such kind or activation.
    """
    known = {*KINDS, *(layout.kind for layout in LAYOUTS)}
    if kind is not None and kind not in known:
        raise UnknownNameError("kind of tower", kind, known)
    name, (place, part) = str(source), split_part(source, part)
    choice = TowerChoice(part, kind, activation, full_depth, allow_pickle)
    file, folder, choice = _find_files(place, choice)
    if file is not None:
        with LOADING:
            return open_file(file, choice, name=name, dtype=dtype, device=device)
    _check_folder(folder, choice)
    with LOADING:
        return read_folder(
            folder,
            kind,
            name=name,
            dtype=dtype,
            device=torch.device(device),
            tokenizer=TOKENIZERS[str(place)]() if str(place) in TOKENIZERS else None,
        )


def load_towers(
    source: str | PathLike[str],
    *,
    allow_pickle: bool = False,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> tuple[TextTower, ...]:
    """Open the text tower of a model, or its pair of towers, as SDXL's has.

    Args:
        source, allow_pickle, dtype, device: as for `load_tower`.
    Returns:
        one tower or two, in the order in which the UNet reads them.
    Raises:
        CheckpointError: as for `load_tower`.
    """
    path = local_path(source)
    parts: tuple[int | None, ...] = (None,)
    if path.exists() and not path.is_dir():
        found = find_towers(read_any_header(path, allow_pickle=allow_pickle))
        if len(found) == 2:
            parts = tuple(tower.part for tower in found)
    elif str(source) not in NAMES:
        encoders = encoders_in(find_folder(source, 1))
        parts = encoders if 2 in encoders else parts
    return tuple(
        load_tower(source, part=part, allow_pickle=allow_pickle, dtype=dtype, device=device)
        for part in parts
    )


def _find_files(
    source: str | PathLike[str], choice: TowerChoice
) -> tuple[Path | None, Path, TowerChoice]:
    """Find the file to open, or None; the folder; and what is left to choose there."""
    path = local_path(source)
    if path.exists() and not path.is_dir():  # what it is, its reader says
        return path, path.parent, choice
    named = NAMES.get(str(source))
    folder = named() if named is not None else find_folder(source, choice.part)
    if not (folder / "config.json").is_file() and (folder / OPEN_CLIP_CONFIG).is_file():
        return folder / OPEN_CLIP_WEIGHTS, folder, choice
    is_pipeline = named is None and (folder / PIPELINE_INDEX).exists()
    if choice.part is None and is_pipeline and encoders_in(folder) == (1, 2):
        warn(
            f"{str(folder)!r} has a pair of text towers, and this is the first; "
            "Conditioner.from_model opens both, part=1 says that the first is meant"
        )
    folder = model_folder(folder, choice.part)
    choice = replace(choice, part=None)  # it chose the folder
    return (find_pickle(folder) if choice.allow_pickle else None), folder, choice


def _check_folder(folder: Path, choice: TowerChoice) -> None:
    """Refuse choices that are for single files.

    Raises:
        CheckpointError: names them.
    """
    if choice.kind is not None and choice.kind not in KINDS:
        raise CheckpointError(
            f"{str(folder)!r} is a model's folder, and no tower of kind {choice.kind!r}",
            folder,
            f"Kinds of folders: {', '.join(KINDS)}.",
        )
    is_asked = choice.activation is not None or choice.full_depth
    if is_asked and (folder / "config.json").is_file():
        raise CheckpointError(
            f"{str(folder)!r} is a model's folder; its config.json says activation and depth",
            folder,
            "activation= and full_depth= are for single files.",
        )
