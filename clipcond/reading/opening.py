"""Open both halves of a CLIP from a name, a folder, a file or a hub id."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from clipcond.checkpoints.file_formats import read_any_header
from clipcond.checkpoints.folders import read_weights
from clipcond.checkpoints.opening import load_tower
from clipcond.checkpoints.places import (
    EMBEDDED,
    NAMES,
    OPEN_CLIP_WEIGHTS,
    PIPELINE_INDEX,
    find_folder,
    find_pickle,
)
from clipcond.checkpoints.single_file import open_file
from clipcond.checkpoints.tensor_names import PROJECTION
from clipcond.checkpoints.tower_choice import TowerChoice
from clipcond.checkpoints.tower_settings import OPEN_CLIP_CONFIG
from clipcond.checkpoints.vision_files import find_vision
from clipcond.checkpoints.vision_models import VisionHalf, read_vision_file, read_vision_folder
from clipcond.errors import CheckpointError, warn
from clipcond.files import local_path, read_json
from clipcond.locks import LOADING
from clipcond.model_defaults import DEFAULTS
from clipcond.reading.encoder import DualEncoder
from clipcond.reading.preprocessing import Preprocessing, read_preprocessing
from clipcond.reading.preprocessing_of_files import preprocessing_of_file
from clipcond.towers.base import TextTower
from clipcond.towers.chinese_clip import ChineseClipTower

MOST = 100.0  # the largest scale that CLIP allows. Source: Radford et al. 2021, section 2.5
_NO_VISION = (
    "A whole CLIP has both halves, such as 'openai/clip-vit-large-patch14', whose text half is "
    "Stable Diffusion 1's."
)


def load_encoder(
    source: str | PathLike[str] = "embedded",
    *,
    activation: str | None = None,
    allow_pickle: bool = False,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
) -> DualEncoder:
    """Open both halves of a CLIP, which encode pictures and texts in one space.

    Args:
        source: a name ("embedded", "embedded-zh"); a folder or hub id of transformers (CLIP,
            ChineseCLIP, AltCLIP, MetaCLIP 2, SigLIP) or of open_clip; or a single file of
            open_clip, OpenAI or cn_clip. A diffusion checkpoint has no vision half.
        activation: "gelu" or "quick_gelu", where a file does not say and the guess is wrong.
        allow_pickle: read weights, and nothing else, out of a .pt, .pth or .bin file.
        dtype: of the weights; None = float16 on CUDA, else float32. Embeddings are float32.
        device: where both halves run.
    Raises:
        CheckpointError: not found, incomplete, without a vision half, or with one that
            transformers cannot run; then see `encoder_from_open_clip`.
    """
    where = torch.device(device)
    chosen = dtype or (torch.float16 if where.type == "cuda" else torch.float32)
    name = str(source)
    if name in NAMES:
        return _embedded(name, chosen, where)
    path = local_path(source)
    is_file = path.exists() and not path.is_dir()
    folder = path.parent if is_file else find_folder(source, None)
    file = path if is_file else _file_in(folder, allow_pickle=allow_pickle)
    if file is not None:
        choice = TowerChoice(activation=activation, full_depth=True, allow_pickle=allow_pickle)
        return _from_file(file, choice, name, chosen, where)
    with LOADING:
        half = read_vision_folder(folder, dtype=chosen, device=where)
    tower = load_tower(folder, dtype=chosen, device=where)
    prepare = read_preprocessing(folder, half.kind, half.image_size)
    return _joined(tower, half, prepare, name)


def _file_in(folder: Path, *, allow_pickle: bool) -> Path | None:
    """Find the single file to open in a folder; None = it is a model of transformers.

    Raises:
        CheckpointError: it is a pipeline, or a text model alone.
    """
    config = folder / "config.json"
    if not config.is_file():
        if (folder / OPEN_CLIP_CONFIG).is_file():
            return folder / OPEN_CLIP_WEIGHTS
        if (folder / PIPELINE_INDEX).is_file():
            raise CheckpointError(
                f"{str(folder)!r} is a diffusers pipeline: its CLIP has no vision half, so it "
                "cannot read pictures",
                folder,
                _NO_VISION,
            )
    elif str(read_json(config).get("model_type")).endswith("text_model"):
        message = f"{str(folder)!r} is a text model without a vision half"
        raise CheckpointError(message, folder, _NO_VISION)
    return find_pickle(folder) if allow_pickle else None


def _from_file(
    path: Path, choice: TowerChoice, name: str, dtype: torch.dtype, device: torch.device
) -> DualEncoder:
    find_vision(read_any_header(path, allow_pickle=choice.allow_pickle))  # before its text half
    with LOADING:
        tower = open_file(path, choice, name=name, dtype=dtype, device=device)
        model: Any = getattr(tower, "model", None)
        is_chinese = isinstance(tower, ChineseClipTower)
        # Source: cn_clip 1.6.0, clip/model.py, ResidualAttentionBlock
        activation = "quick_gelu" if is_chinese else model.config.hidden_act
        half = read_vision_file(
            path,
            activation=activation,
            allow_pickle=choice.allow_pickle,
            dtype=dtype,
            device=device,
        )
    prepare = preprocessing_of_file(path, half.image_size, is_chinese=is_chinese)
    return _joined(tower, half, prepare, name)


def _embedded(name: str, dtype: torch.dtype, device: torch.device) -> DualEncoder:
    """Open a text tower of ours, with the vision tower that both were trained with."""
    folder = EMBEDDED / "vision_tower"
    tower = load_tower(name, dtype=dtype, device=device)
    with LOADING:
        half = read_vision_folder(folder, dtype=dtype, device=device)
    own = read_json(folder / "config.json").get(DEFAULTS, {}).get("logit_scale", {}).get(name)
    projection = None
    if name == "embedded":
        projection = read_weights([folder / "text_projection.safetensors"])[PROJECTION][0]
    prepare = read_preprocessing(folder, half.kind, half.image_size)
    return DualEncoder(
        tower,
        half.model,
        prepare,
        logit_scale=_scale(own, name),
        text_projection=projection,
        name=name,
    )


def _joined(tower: TextTower, half: VisionHalf, prepare: Preprocessing, name: str) -> DualEncoder:
    own = None if half.logit_scale is None else math.exp(half.logit_scale)
    scale = _scale(own, name)
    return DualEncoder(
        tower, half.model, prepare, logit_scale=scale, logit_bias=half.logit_bias, name=name
    )


def _scale(own: float | None, name: str) -> float:
    if own is None:
        warn(f"{name!r} has no logit_scale, so probabilities are those of the largest, {MOST:g}")
        return MOST
    return own
