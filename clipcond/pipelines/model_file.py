"""Load a pipeline from one file: UNet, VAE and text encoders, each part checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from clipcond.checkpoints.contents import FIRST_IN_UNET, Contents, describe, list_contents
from clipcond.checkpoints.file_formats import read_any_header
from clipcond.checkpoints.header import Header
from clipcond.checkpoints.layouts import FoundTower
from clipcond.checkpoints.places import PIPELINE_INDEX
from clipcond.checkpoints.single_file import open_file
from clipcond.checkpoints.tower_choice import TowerChoice
from clipcond.errors import CheckpointError
from clipcond.files import is_file
from clipcond.pipelines.families import (
    STABLE_DIFFUSION,
    STABLE_DIFFUSION_XL,
    Family,
    class_for_task,
)
from clipcond.pipelines.model_folder import join_parts
from clipcond.pipelines.model_parts import (
    VAE_CLASS,
    LoadChoices,
    lacks_encoder,
    lacks_vae,
    load_vae,
    loading,
    read_part,
)
from clipcond.pipelines.protocols import DiffusersPipeline

_SDXL_IN_FILE = "conditioner.embedders."
_XL_WIDTHS = (2048, 1280)  # of the text that the UNets of SDXL and its refiner read
_OTHER_WIDTHS = (1024, *_XL_WIDTHS)  # of the text that other UNets than SD1's read
_CONFIG_REMEDY = (
    "A single file lacks the model's configuration. Put the model's configuration folder "
    f"({PIPELINE_INDEX} and what it names; no weights) next to it, named as the file without its "
    "ending; or load it once with a connection, and diffusers keeps the configuration."
)


def load_file(path: Path, choices: LoadChoices, sd1_config: Path) -> DiffusersPipeline:
    """Load a pipeline from one file.

    Args:
        choices: the arguments of `load_pipeline`.
        sd1_config: the configuration folder of Stable Diffusion 1.x.
    """
    header = read_any_header(path, allow_pickle=choices.allow_pickle)
    found = list_contents(header)
    family = _family(path, found)
    class_name = class_for_task(family, choices.task)
    towers = found.towers[: len(family.encoders)]
    if len(towers) < len(family.encoders) and choices.needs_encoder:
        raise lacks_encoder(path, family, describe(found))
    if not found.has_vae and choices.vae is None:
        raise lacks_vae(path, describe(found))
    with loading(path, "the checkpoint", remedy=_CONFIG_REMEDY):
        usual = sd1_config if _is_sd1(found) else None
        config = _configuration(path) or usual or _download_config(found.header)
    parts: dict[str, Any] = {"unet": read_part(header, "unet", _UNET_CLASS, choices, config)}
    parts["vae"] = (
        read_part(header, "vae", VAE_CLASS, choices, config)
        if choices.vae is None
        else load_vae(choices.vae, choices, config)
    )
    parts |= dict(_encoders(path, towers, family, choices, config))
    parts |= {"safety_checker": None} if family is STABLE_DIFFUSION else {}
    return join_parts(config, class_name, parts, choices)


_UNET_CLASS = "UNet2DConditionModel"


def _family(path: Path, found: Contents) -> Family:
    """Find the family of a file's UNet.

    Raises:
        CheckpointError: it holds none, or one of another family; says what it holds.
    """
    entries = found.header.entries
    if FIRST_IN_UNET not in entries:
        whole = "Give a whole checkpoint; for a text encoder alone there is load_tower."
        raise CheckpointError(
            f"{path} holds no Stable Diffusion UNet; it holds {describe(found)}.",
            path,
            found.advice or whole,
        )
    is_xl = any(key.startswith(_SDXL_IN_FILE) for key in entries)
    return STABLE_DIFFUSION_XL if is_xl or found.text_width in _XL_WIDTHS else STABLE_DIFFUSION


def _encoders(
    path: Path,
    towers: tuple[FoundTower, ...],
    family: Family,
    choices: LoadChoices,
    config: Path,
) -> Iterator[tuple[str, Any]]:
    """Yield text encoders and tokenizers; None for each that the file has not."""
    for i, (encoder, tokenizer) in enumerate(family.encoders):
        if i >= len(towers):
            yield from ((encoder, None), (tokenizer, None))
            continue
        choice = TowerChoice(towers[i].part, allow_pickle=choices.allow_pickle)
        tower: Any = open_file(
            path, choice, name=str(path), dtype=choices.dtype, config=config / encoder
        )
        yield encoder, tower.model
        if not (config / tokenizer).is_dir():
            yield tokenizer, tower.tokenizer.source


def _configuration(path: Path) -> Path | None:
    """Find the configuration folder next to a single file."""
    places = (path.with_suffix(""), path.parent)
    return next((folder for folder in places if is_file(folder / PIPELINE_INDEX)), None)


def _is_sd1(found: Contents) -> bool:
    is_in_place = any(tower.layout.place == "SD1" for tower in found.towers)
    return found.n_channels == 4 and (found.text_width not in _OTHER_WIDTHS or is_in_place)


def _download_config(header: Header) -> Path:
    """Find the configuration of the model whose UNet a file has, by names and shapes alone."""
    from diffusers.loaders.single_file_utils import fetch_diffusers_config
    from huggingface_hub import snapshot_download

    shapes = {k: torch.empty(e.shape, device="meta") for k, e in header.entries.items()}
    repository = fetch_diffusers_config(shapes)["pretrained_model_name_or_path"]
    patterns = ["*.json", "**/*.json", "*.txt", "**/*.txt", "**/*.model"]
    return Path(snapshot_download(repository, allow_patterns=patterns))
