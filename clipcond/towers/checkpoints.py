"""A name, a folder or a hub id to a tower; what is inside is read from the files themselves."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from clipcond.errors import CheckpointError, UnknownNameError
from clipcond.towers import chinese_clip
from clipcond.towers.base import TextTower
from clipcond.towers.files import empty, fill, near, read_json, read_weights, weight_files

__all__ = ["KINDS", "NAMES", "load_tower"]

# Files of a hub repository that a text tower needs, as diffusers and as transformers lay them out.
HUB_FILES = [
    "config.json",
    "*vocab*",
    "merges.txt",
    "tokenizer*",
    "tokenizer*/*",
    "special_tokens_map.json",
    "text_encoder/config.json",
]
HUB_WEIGHTS = ["model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors"]
# Without one of these, transformers makes up a tokenizer of two entries.
TOKENIZER_FILES = ("tokenizer.json", "vocab.json")


def load_tower(
    source: str | Path,
    kind: str | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> TextTower:
    """Open a text tower.

    Args:
        source: a name ("embedded"), a folder (of a diffusers pipeline, or of one transformers text
            model with its tokenizer in it or beside it), or a hub id.
        kind: which tower class reads it ("clip", "chinese_clip"); by default what its config says.
        dtype, device: of the loaded weights.
    Raises:
        CheckpointError: not found, incomplete, or not what its config says; nothing stays loaded.
        UnknownNameError: no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind of tower", kind, KINDS)
    named = NAMES.get(str(source))
    folder = _model_folder(named() if named is not None else _folder(source))
    config = read_json(folder / "config.json")
    reader = KINDS[kind or _kind_of(config, folder)]
    return reader(folder, config, str(source), dtype, torch.device(device))


def _embedded() -> Path:
    return Path(str(files("clipcond"))) / "embedded" / "model"


def _folder(source: str | Path) -> Path:
    """Where the files of a source lie, fetched from the hub if need be."""
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        raise CheckpointError(
            f"{str(source)!r} is a single file of no kind that can be opened as a tower",
            path,
            "Give a folder with config.json, weights and tokenizer.",
        )
    is_hub_id = str(source).count("/") == 1 and not str(source).startswith((".", "~", "/"))
    if isinstance(source, Path) or not is_hub_id:
        raise CheckpointError(
            f"there is no folder {str(source)!r}, and it is no name ({', '.join(NAMES)}) or hub id "
            f"(owner/model)",
            path,
            near(path),
        )
    return _from_hub(str(source))


def _from_hub(repo: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = [*HUB_FILES, *HUB_WEIGHTS, *(f"text_encoder/{name}" for name in HUB_WEIGHTS)]
    try:
        return Path(snapshot_download(repo, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(
            f"{repo!r} is no folder here, and could not be had from the hub: "
            f"{str(error).splitlines()[0]}",
            repo,
            "Check the name and the connection; offline, only what was fetched before is there.",
        ) from error


def _model_folder(folder: Path) -> Path:
    """The folder with the text model's config: a pipeline's text_encoder, or the folder itself."""
    inner = folder / "text_encoder"
    if not (folder / "config.json").is_file() and inner.is_dir():
        return inner
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{str(folder)!r} holds no text model",
            folder,
            "Looked for text_encoder/config.json (a diffusers pipeline) and config.json (a "
            "transformers model).",
        )
    return folder


def _kind_of(config: dict[str, Any], folder: Path) -> str:
    model_type = str(config.get("model_type"))
    for kind, types in MODEL_TYPES.items():
        if model_type in types:
            return kind
    known = ", ".join(t for types in MODEL_TYPES.values() for t in types)
    raise CheckpointError(
        f"{str(folder / 'config.json')!r} says model_type {model_type!r}; known: {known}",
        folder / "config.json",
        "If it is one of these under another name, say kind=...",
    )


def _clip(
    folder: Path, config: dict[str, Any], name: str, dtype: torch.dtype, device: torch.device
) -> TextTower:
    """An OpenAI CLIP text model as transformers saves it."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    from clipcond.towers.openai_clip import OpenAIClipTower

    paths = weight_files(folder)
    weights = read_weights(paths)
    text = dict(config.get("text_config") or {}) if config.get("model_type") == "clip" else config
    text = {**text, "projection_dim": config.get("projection_dim", 512)}
    has_projection = "text_projection.weight" in weights
    model_class = CLIPTextModelWithProjection if has_projection else CLIPTextModel
    tokenizer = _clip_tokenizer(folder)
    model = empty(lambda: model_class(CLIPTextConfig(**text)), folder / "config.json")
    fill(model, weights, paths[0])
    model.requires_grad_(False)
    return OpenAIClipTower(model.to(device, dtype).eval(), tokenizer, name=name)


def _clip_tokenizer(folder: Path) -> Any:
    """The tokenizer in a model's folder, or in the one beside it: text_encoder_2, tokenizer_2."""
    from transformers import CLIPTokenizer

    beside = folder.parent / folder.name.replace("text_encoder", "tokenizer")
    places = [folder, beside, folder.parent / "tokenizer"]
    for place in places:
        if any((place / name).is_file() for name in TOKENIZER_FILES):
            try:
                return CLIPTokenizer.from_pretrained(str(place), local_files_only=True)
            except (OSError, ValueError, TypeError, RuntimeError) as error:
                message = f"the tokenizer in {str(place)!r} is broken: {error}"
                raise CheckpointError(message, place) from error
    raise CheckpointError(
        f"there is no tokenizer for {str(folder)!r}",
        folder,
        "Looked for vocab.json or tokenizer.json in: "
        + ", ".join(dict.fromkeys(str(place) for place in places)),
    )


Reader = Callable[[Path, dict[str, Any], str, torch.dtype, torch.device], TextTower]

NAMES: dict[str, Callable[[], Path]] = {"embedded": _embedded}
KINDS: dict[str, Reader] = {"clip": _clip, "chinese_clip": chinese_clip.from_folder}
MODEL_TYPES: dict[str, tuple[str, ...]] = {
    "clip": ("clip_text_model", "clip"),
    "chinese_clip": ("chinese_clip", "chinese_clip_text_model"),
}
