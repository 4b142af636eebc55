"""What loading a model from a folder and from a file share: choices, checks, errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from clipcond.checkpoints.contents import list_contents
from clipcond.checkpoints.file_formats import read_any_header
from clipcond.checkpoints.header import Entry, Header
from clipcond.checkpoints.tensors_on_disk import StoredTensors
from clipcond.errors import CheckpointError, ClipcondError, first_line
from clipcond.files import is_file
from clipcond.pipelines.config_checks import check_model_config
from clipcond.pipelines.families import Family
from clipcond.pipelines.protocols import Model

VAE_CLASS = "AutoencoderKL"
_WEIGHTS = ("diffusion_pytorch_model*.safetensors", "diffusion_pytorch_model*.bin")


@dataclass(frozen=True, slots=True)
class LoadChoices:
    """How a model is loaded: see `load_pipeline`."""

    task: str
    dtype: torch.dtype
    vae: Path | None = None
    allow_pickle: bool = False
    needs_encoder: bool = True


@contextmanager
def loading(path: Path, what: str, remedy: str = "") -> Iterator[None]:
    """Raise whatever a loader inside fails with as a CheckpointError about `path`."""
    try:
        yield
    except ClipcondError:
        raise
    except Exception as error:  # loaders fail with a dozen kinds, down to KeyError and JSON's
        raise CheckpointError(
            f"{what} cannot be read from {path}: {first_line(error)}", path, remedy
        ) from error


def load_model(folder: Path, name: str, class_name: str, choices: LoadChoices) -> Model:
    """Load the UNet or VAE in a folder, with every weight it needs.

    Args:
        folder: that of the part: it holds config.json and weights.
        name: how messages call it.
    Raises:
        CheckpointError: its class is none of diffusers' models, or it is damaged or incomplete.
    """
    import diffusers

    model_class = getattr(diffusers, class_name, None)
    if not (isinstance(model_class, type) and issubclass(model_class, diffusers.ModelMixin)):
        raise CheckpointError(f"{folder} has no known class for {name}: {class_name}.", folder)
    entries, files = _entries(folder, choices)
    if (folder / "config.json").exists():
        check_model_config(folder / "config.json", model_class, entries)
    with loading(folder, name):
        model: Model
        model, info = model_class.from_pretrained(
            str(folder),
            **dtype_argument(choices.dtype),
            local_files_only=True,
            use_safetensors=not any(path.suffix == ".bin" for path in files),
            variant="fp16" if files and all(".fp16" in path.name for path in files) else None,
            output_loading_info=True,
        )
    missing = info["missing_keys"]
    if missing:
        raise CheckpointError(
            f"{folder} is incomplete: {len(missing)} weights are missing, such as {min(missing)}.",
            folder,
        )
    return model


def _entries(folder: Path, choices: LoadChoices) -> tuple[dict[str, Entry], list[Path]]:
    """Read the headers of a part's weights; the files that they are in."""
    for pattern in _WEIGHTS:
        files = [path for path in sorted(folder.glob(pattern)) if is_file(path)]
        headers = [read_any_header(path, allow_pickle=choices.allow_pickle) for path in files]
        if headers:
            entries = {k: e for header in headers for k, e in header.entries.items()}
            return entries, files
    return {}, []


def load_vae(path: Path, choices: LoadChoices, config: Path) -> Model:
    """Load an autoencoder from a folder, or from a file with the configuration of a model.

    Raises:
        CheckpointError: it is none, or damaged or incomplete.
    """
    if path.is_dir():
        inner = path / "vae" if (path / "vae" / "config.json").exists() else path
        return load_model(inner, "vae", VAE_CLASS, choices)
    header = read_any_header(path, allow_pickle=choices.allow_pickle)
    found = list_contents(header)
    if not found.has_vae:
        raise CheckpointError(f"{path} holds no VAE.", path, "Give an AutoencoderKL.")
    return read_part(header, "vae", VAE_CLASS, choices, config)


# The beginnings of a part's names in a single file; "" = all, in a file of that part alone.
_STARTS = {"unet": ("model.diffusion_model.",), "vae": ("first_stage_model.", "vae.", "")}


def read_part(
    header: Header, name: str, class_name: str, choices: LoadChoices, config: Path
) -> Model:
    """Read the UNet or VAE of a single file, whole or not at all.

    Args:
        config: the model's configuration folder.
    Raises:
        CheckpointError: a weight is missing, or is not as the configuration says.
    """
    import diffusers

    path, model_class = header.path, getattr(diffusers, class_name)
    start = next(s for s in _STARTS[name] if any(k.startswith(s) for k in header.entries))
    stored = StoredTensors(path, header.entries)
    check_model_config(config / name / "config.json", model_class, {})
    with loading(path, name):
        weights: Mapping[str, Tensor] = {k: stored[k] for k in stored if k.startswith(start)}
        model: Model = model_class.from_single_file(
            weights, config=str(config), subfolder=name, **dtype_argument(choices.dtype),
            local_files_only=True,
        )  # fmt: skip
    # what the file lacks stays without storage
    if any(weight.is_meta for weight in model.parameters()):
        raise CheckpointError(f"{path} is incomplete: weights of {name} are missing.", path)
    return model


def lacks_encoder(path: Path, family: Family, held: str) -> CheckpointError:
    """Make the error for a model without its text encoders."""
    n, class_name = len(family.encoders), next(iter(family.tasks.values()))
    if n == 1:
        remedy = (
            "Pass one: build_pipeline(model, tower='...'), the file, folder or Hub id of the text "
            "encoder that its UNet was trained with."
        )
    else:
        remedy = (
            f"Load it with diffusers, {class_name}.from_single_file or from_pretrained with "
            "text_encoder=..., text_encoder_2=..., and attach(pipe)."
        )
    encoder = "text encoder" if n == 1 else "pair of text encoders"
    return CheckpointError(f"{path} has no {encoder}: it holds {held}.", path, remedy)


def lacks_vae(path: Path, held: str) -> CheckpointError:
    """Make the error for a model without an autoencoder."""
    return CheckpointError(
        f"{path} has no VAE: it holds {held}.",
        path,
        "Pass one: build_pipeline(model, vae='...'), a folder or file with an AutoencoderKL.",
    )


def dtype_argument(dtype: torch.dtype) -> dict[str, torch.dtype]:
    """Name the argument as this diffusers does: 0.40 renamed torch_dtype, and warns of it."""
    from diffusers import __version__

    major, minor = (int(part) for part in __version__.split(".")[:2])
    return {"dtype" if (major, minor) >= (0, 40) else "torch_dtype": dtype}
