"""Find a model (embedded, folder, single file, Hub), load its parts and check each of them.

The loaders of both libraries fill weights that a file lacks with random numbers and only log a
warning. Here a missing weight is an error, and no half loaded pipeline is returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from clipcond import embedded
from clipcond.checkpoints import load_tower
from clipcond.checkpoints.contents import FIRST_IN_UNET, Contents, describe, list_contents
from clipcond.checkpoints.header import read_header
from clipcond.errors import CheckpointError, ClipcondError
from clipcond.files import read_json
from clipcond.locks import LOADING
from clipcond.pipelines.families import class_for_task, family_named
from clipcond.pipelines.protocols import DiffusersPipeline, Model
from clipcond.pipelines.verbosity import silent_libraries

__all__ = ["load_pipeline"]

_INDEX = "model_index.json"
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_PICKLES = {".ckpt", ".pt", ".pth", ".bin"}
_SDXL_IN_FILE = "conditioner.embedders."
_SD1_CONFIG = Path(__file__).parent / "configs" / "sd1"
_CONFIG_REMEDY = (
    "A single file lacks the model's configuration. Put the model's configuration folder "
    f"({_INDEX} and what it names; no weights) next to it, named as the file without its ending; "
    "or load it once with a connection, and diffusers keeps the configuration."
)


def load_pipeline(
    model: str | PathLike[str] | None, *, task: str, dtype: torch.dtype
) -> DiffusersPipeline:
    """Load a stock diffusers pipeline to the CPU, complete or not at all.

    Args:
        model: a folder, a .safetensors file, an id on the Hub; None = the embedded model.
        task: a key of the family's `tasks`.
        dtype: that of every model in it.
    Raises:
        CheckpointError: no such model, or a part of it is missing, damaged or of another kind.
        PipelineError: a pipeline of a family that is not supported.
        UnknownNameError: no such task.
    """
    path = _find_model(model)
    with LOADING:
        pipe = (_from_file if path.is_file() else _from_folder)(path, task=task, dtype=dtype)
    # as messages and reports name the tower
    name = "embedded" if model is None else str(model)
    for part, tower_name in (("text_encoder", name), ("text_encoder_2", f"{name}#2")):
        encoder = getattr(pipe, part, None)
        if encoder is not None:
            encoder.config._name_or_path = tower_name
    return pipe


def _find_model(model: str | PathLike[str] | None) -> Path:
    """Find the folder or file of a model; download it from the Hub if it is an id."""
    if model is None:
        return embedded.folder()
    path = Path(model).expanduser()
    if path.exists():
        return path
    if isinstance(model, str) and _HUB_ID.fullmatch(model) and path.suffix != ".safetensors":
        return _from_hub(model)
    raise CheckpointError(
        f"There is no file or folder {str(model)!r}.",
        path,
        "Give a diffusers folder, a .safetensors file, or an id on the Hub: owner/name.",
    )


def _from_hub(name: str) -> Path:
    try:
        with silent_libraries(bars=True):
            from diffusers import DiffusionPipeline

            return Path(DiffusionPipeline.download(name, use_safetensors=True))
    except Exception as error:  # kinds of the OS, of the Hub's client and of its HTTP library
        raise CheckpointError(
            f"There is no folder {name!r} here, and the Hub does not give it either: "
            f"{_first_line(error)}",
            name,
            "Check the name and the connection; offline, what was downloaded before works.",
        ) from error


def _from_folder(folder: Path, *, task: str, dtype: torch.dtype) -> DiffusersPipeline:
    index = _read_index(folder)
    family = family_named(str(index.get("_class_name")))
    class_name = class_for_task(family, task)
    with silent_libraries():
        import diffusers

        parts: dict[str, Any] = {
            name: _load_model(folder, name, index, dtype) for name in ("unet", "vae")
        }
        for encoder, tokenizer in family.encoders:
            # transformers' own loader takes files of newer versions for lacking every weight
            tower: Any = load_tower(folder / encoder, kind="clip", dtype=dtype)
            parts[encoder], parts[tokenizer] = tower.model, tower.tokenizer.source
        with _loading(folder, "the pipeline"):
            pipe: DiffusersPipeline = getattr(diffusers, class_name).from_pretrained(
                str(folder), **parts, **_dtype_argument(dtype), local_files_only=True
            )
            return pipe


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / _INDEX
    if not path.exists():
        raise CheckpointError(
            f"{folder} is no diffusers pipeline: it has no {_INDEX}.",
            folder,
            f"Give the folder that holds {_INDEX}, unet, vae, text_encoder, ...",
        )
    index = read_json(path)
    if "_class_name" not in index:
        raise CheckpointError(f"{path} names no pipeline class.", path)
    return index


def _load_model(folder: Path, name: str, index: dict[str, Any], dtype: torch.dtype) -> Model:
    """Load the UNet or VAE of a folder, with every weight it needs."""
    import diffusers

    if not (folder / name).is_dir():
        raise CheckpointError(f"{folder} is incomplete: it has no {name} folder.", folder)
    class_name = index.get(name, [None, None])[1]
    model_class = getattr(diffusers, str(class_name), None)
    if model_class is None:
        raise CheckpointError(f"{folder / _INDEX} names no known class for {name}.", folder)
    model: Model
    with _loading(folder / name, name):
        model, info = model_class.from_pretrained(
            str(folder),
            subfolder=name,
            **_dtype_argument(dtype),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    missing = info["missing_keys"]
    if missing:
        raise CheckpointError(
            f"{folder / name} is incomplete: {len(missing)} weights are missing, "
            f"such as {min(missing)}.",
            folder / name,
        )
    return model


def _from_file(path: Path, *, task: str, dtype: torch.dtype) -> DiffusersPipeline:
    if path.suffix in _PICKLES:
        raise CheckpointError(
            f"{path} is a pickle: opening it can run code that somebody put there.",
            path,
            "Use the .safetensors version of the model.",
        )
    found = list_contents(read_header(path))
    if any(key.startswith(_SDXL_IN_FILE) for key in found.header.entries):
        family = family_named("StableDiffusionXLPipeline")
    elif FIRST_IN_UNET in found.header.entries:
        family = family_named("StableDiffusionPipeline")
    else:
        raise CheckpointError(
            f"{path} holds no Stable Diffusion UNet; it holds {describe(found)}.",
            path,
            "Give a whole checkpoint; for a text encoder alone there is load_tower.",
        )
    class_name = class_for_task(family, task)
    with silent_libraries():
        import diffusers

        with _loading(path, "the checkpoint", remedy=_CONFIG_REMEDY):
            pipe: DiffusersPipeline = getattr(diffusers, class_name).from_single_file(
                str(path), **_configuration(path, found), **_dtype_argument(dtype)
            )
    for name, part in pipe.components.items():
        # what the file lacks stays without storage
        if any(weight.is_meta for weight in getattr(part, "parameters", list)()):
            raise CheckpointError(f"{path} is incomplete: weights of {name} are missing.", path)
    return pipe


def _configuration(path: Path, found: Contents) -> dict[str, Any]:
    """Arguments of diffusers' loader: where it finds the configuration that a single file lacks.

    A folder next to the file; else, for Stable Diffusion 1.x, the one in this package; else none,
    and diffusers looks into its cache and on the Hub.
    """
    for folder in (path.with_suffix(""), path.parent):
        if (folder / _INDEX).is_file():
            return {"config": str(folder), "local_files_only": True}
    if found.n_channels == 4 and any(tower.layout.place == "SD1" for tower in found.towers):
        from transformers import CLIPTokenizer

        tokenizer = CLIPTokenizer.from_pretrained(str(embedded.folder() / "tokenizer"))
        return {"config": str(_SD1_CONFIG), "tokenizer": tokenizer, "local_files_only": True}
    return {}


@contextmanager
def _loading(path: Path, what: str, remedy: str = "") -> Iterator[None]:
    """Raise whatever a loader inside fails with as a CheckpointError about `path`."""
    try:
        yield
    except ClipcondError:
        raise
    except Exception as error:  # loaders fail with a dozen kinds, down to KeyError and JSON's
        raise CheckpointError(
            f"{what} cannot be read from {path}: {_first_line(error)}", path, remedy
        ) from error


def _dtype_argument(dtype: torch.dtype) -> dict[str, torch.dtype]:
    """Name the argument as this diffusers does: 0.40 renamed torch_dtype, and warns of it."""
    from diffusers import __version__

    major, minor = (int(part) for part in __version__.split(".")[:2])
    return {"dtype" if (major, minor) >= (0, 40) else "torch_dtype": dtype}


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
