"""Load a pipeline from a diffusers folder, each part checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipcond.checkpoints import load_tower
from clipcond.checkpoints.file_formats import refused_pickle
from clipcond.checkpoints.folders import KINDS
from clipcond.checkpoints.pickles import read_pickle
from clipcond.checkpoints.places import PIPELINE_INDEX
from clipcond.errors import CheckpointError
from clipcond.files import is_file, read_json
from clipcond.pipelines.config_checks import check_scheduler_config, try_scheduler
from clipcond.pipelines.families import class_for_task, family_named
from clipcond.pipelines.model_parts import (
    LoadChoices,
    dtype_argument,
    lacks_encoder,
    lacks_vae,
    load_model,
    load_vae,
    loading,
)
from clipcond.pipelines.protocols import DiffusersPipeline, Model

_PICKLES = ("*.bin", "*.ckpt", "*.pt", "*.pth")


def load_folder(folder: Path, choices: LoadChoices) -> DiffusersPipeline:
    """Load a pipeline from its folder; the arguments are those of `load_pipeline`."""
    index = _read_index(folder)
    family = family_named(str(index["_class_name"]))
    class_name = class_for_task(family, choices.task)
    _check_pickles(folder, index, choices)
    _check_scheduler(folder, index)  # before minutes are spent on weights
    parts: dict[str, Any] = {"unet": _part(folder, "unet", index, choices)}
    if choices.vae is not None:
        parts["vae"] = load_vae(choices.vae, choices, folder)
    elif not (folder / "vae").is_dir():
        raise lacks_vae(folder, _held(folder))
    else:
        parts["vae"] = _part(folder, "vae", index, choices)
    for encoder, tokenizer in family.encoders:
        if not (folder / encoder).is_dir():
            if choices.needs_encoder:
                raise lacks_encoder(folder, family, _held(folder))
            parts[encoder] = parts[tokenizer] = None
            continue
        # transformers' own loader takes files of newer versions for lacking every weight
        tower: Any = load_tower(
            folder / encoder, kind=_kind(folder / encoder), dtype=choices.dtype,
            allow_pickle=choices.allow_pickle,
        )  # fmt: skip
        _check_projection(folder / encoder, index.get(encoder), tower.model)
        parts[encoder], parts[tokenizer] = tower.model, tower.tokenizer.source
    return join_parts(folder, class_name, parts, choices)


def join_parts(
    folder: Path, class_name: str, parts: Mapping[str, Any], choices: LoadChoices
) -> DiffusersPipeline:
    """Make the pipeline of its models, and of what else is in its configuration folder.

    Args:
        folder: the model's, or one with its configuration alone.
        class_name: of diffusers' pipelines.
        parts: UNet, VAE, text encoders; None for one that the pipeline has not.
    Raises:
        CheckpointError: the scheduler or another part cannot be read.
    """
    import diffusers

    _check_scheduler(folder, read_json(folder / PIPELINE_INDEX))
    with loading(folder, "the pipeline"):
        pipe: DiffusersPipeline = getattr(diffusers, class_name).from_pretrained(
            str(folder), **parts, **dtype_argument(choices.dtype), local_files_only=True,
            use_safetensors=None if choices.allow_pickle else True,
        )  # fmt: skip
    return pipe


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / PIPELINE_INDEX
    if not path.exists():
        raise CheckpointError(
            f"{folder} is no diffusers pipeline: it has no {PIPELINE_INDEX}.",
            folder,
            f"Give the folder that holds {PIPELINE_INDEX}, unet, vae, text_encoder, ...",
        )
    index = read_json(path)
    if not isinstance(index.get("_class_name"), str):
        raise CheckpointError(f"{path} names no pipeline class.", path)
    return index


def _class_of(index: Mapping[str, Any], name: str) -> str:
    """The class that the index names for a part, or ""."""
    pair = index.get(name)
    return pair[1] if isinstance(pair, list) and list(map(type, pair)) == [str, str] else ""


def _part(folder: Path, name: str, index: Mapping[str, Any], choices: LoadChoices) -> Model:
    """Load the UNet or VAE of a folder."""
    import diffusers

    if not (folder / name).is_dir():
        raise CheckpointError(f"{folder} is incomplete: it has no {name} folder.", folder)
    class_name = _class_of(index, name)
    if not class_name or not hasattr(diffusers, class_name):
        raise CheckpointError(f"{folder / PIPELINE_INDEX} names no known class for {name}.", folder)
    return load_model(folder / name, name, class_name, choices)


def _kind(folder: Path) -> str | None:
    """Find what a text encoder is: what its config says, or else CLIP."""
    said = read_json(folder / "config.json").get("model_type")
    return None if any(said in row.model_types for row in KINDS.values()) else "clip"


def _check_projection(folder: Path, named: object, model: object) -> None:
    """Refuse an encoder whose pooled vector the UNet reads, without the projection for it.

    Raises:
        CheckpointError: the class that the index names has one, the weights have none.
    """
    is_projected = isinstance(named, list) and "CLIPTextModelWithProjection" in named
    if is_projected and getattr(model, "text_projection", None) is None:
        raise CheckpointError(
            f"{folder} has no text_projection, through which the UNet reads the pooled vector.",
            folder,
            "Download or save it again.",
        )


def _check_pickles(folder: Path, index: Mapping[str, Any], choices: LoadChoices) -> None:
    """Refuse parts whose weights are pickles, unless they are allowed; then check them.

    Raises:
        CheckpointError: a pickle that is not allowed, damaged, or more than weights.
    """
    for name in index:
        place = folder / name
        if not _class_of(index, name) or not place.is_dir() or any(place.glob("*.safetensors")):
            continue
        if choices.vae is not None and name == "vae":
            continue
        for path in (p for pattern in _PICKLES for p in place.glob(pattern) if is_file(p)):
            if not choices.allow_pickle:
                more = f" Where {name} is not needed, remove it from {PIPELINE_INDEX}."
                raise refused_pickle(path, more)
            read_pickle(path)


def _check_scheduler(folder: Path, index: Mapping[str, Any]) -> None:
    import diffusers

    class_name, path = _class_of(index, "scheduler"), folder / "scheduler"
    kind = getattr(diffusers, class_name, None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)):
        raise CheckpointError(
            f"{folder / PIPELINE_INDEX} names no known class for scheduler.", folder
        )
    config = path / "scheduler_config.json"
    config = config if config.exists() else path / "config.json"
    check_scheduler_config(config, kind)
    with loading(path, "scheduler"):
        try_scheduler(kind.from_config(read_json(config)))


def _held(folder: Path) -> str:
    """List the parts of a folder, for a message."""
    return ", ".join(sorted(p.name for p in folder.iterdir() if p.is_dir())) or "no parts"
