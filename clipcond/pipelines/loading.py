"""Find a model (embedded, folder, single file, Hub), load its parts and check each of them.

The loaders of both libraries fill weights that a file lacks with random numbers and only log a
warning. Here a missing weight is an error, and no half loaded pipeline is returned.
"""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

import torch

from clipcond import embedded
from clipcond.checkpoints.places import PIPELINE_INDEX
from clipcond.errors import CheckpointError, first_line
from clipcond.files import local_path, near
from clipcond.locks import LOADING
from clipcond.pipelines.model_file import load_file
from clipcond.pipelines.model_folder import load_folder
from clipcond.pipelines.model_parts import LoadChoices
from clipcond.pipelines.protocols import DiffusersPipeline
from clipcond.pipelines.task_checks import check_task
from clipcond.pipelines.verbosity import silent_libraries

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_SD1_CONFIG = Path(__file__).parent / "configs" / "sd1"
_FILES = (".safetensors", ".sft", ".ckpt", ".pt", ".gguf")


def load_pipeline(
    model: str | PathLike[str] | None,
    *,
    task: str,
    dtype: torch.dtype,
    vae: str | PathLike[str] | None = None,
    allow_pickle: bool = False,
    needs_encoder: bool = True,
) -> DiffusersPipeline:
    """Load a stock diffusers pipeline to the CPU, complete or not at all.

    Args:
        model: a folder, a file, an id on the Hub; None = the embedded model.
        task: a key of the family's `tasks`.
        dtype: that of every model in it.
        vae: a folder or file with an autoencoder in place of the model's own.
        allow_pickle: read weights, and nothing else, out of pickles too.
        needs_encoder: whether a model without a text encoder of its own is refused.
    Raises:
        CheckpointError: no such model, or a part of it is missing, damaged or of another kind.
        PipelineError: a pipeline of a family that is not supported, or a model for another task.
        UnknownNameError: no such task.
    """
    path = _find_model(model, allow_pickle=allow_pickle)
    choices = LoadChoices(
        task, dtype, None if vae is None else local_path(vae), allow_pickle, needs_encoder
    )
    with LOADING, silent_libraries():
        is_folder = path.is_dir()
        pipe = load_folder(path, choices) if is_folder else load_file(path, choices, _SD1_CONFIG)
    # as messages and reports name the tower
    name = "embedded" if model is None else str(model)
    check_task(pipe, task, name)
    for part, tower_name in (("text_encoder", name), ("text_encoder_2", f"{name}#2")):
        encoder = getattr(pipe, part, None)
        if encoder is not None:
            encoder.config._name_or_path = tower_name
    return pipe


def _find_model(model: str | PathLike[str] | None, *, allow_pickle: bool) -> Path:
    """Find the folder or file of a model; download it from the Hub if it is an id."""
    if model is None or model == "embedded":
        return embedded.folder()
    path = local_path(model)
    if path.exists():
        return path
    is_id = isinstance(model, str) and _HUB_ID.fullmatch(model) is not None
    if is_id and path.suffix.lower() not in _FILES:
        return _download_pipeline(str(model), allow_pickle=allow_pickle)
    guess = near(path)
    raise CheckpointError(
        f"There is no file or folder {str(model)!r}.",
        path,
        guess
        if guess.startswith("Did")
        else "Give a diffusers folder, a .safetensors file, or an id on the Hub: owner/name.",
    )


def _download_pipeline(name: str, *, allow_pickle: bool) -> Path:
    try:
        with silent_libraries(bars=True):
            from diffusers import DiffusionPipeline

            safe = None if allow_pickle else True
            return Path(DiffusionPipeline.download(name, use_safetensors=safe))
    except Exception as error:  # kinds of the OS, of the Hub's client and of its HTTP library
        raise CheckpointError(
            f"There is no folder {name!r} here, and the Hub does not give it either: "
            f"{first_line(error)}",
            name,
            f"Check the name and the connection; offline, what was downloaded before works. A "
            f"model there has a {PIPELINE_INDEX}.",
        ) from error
