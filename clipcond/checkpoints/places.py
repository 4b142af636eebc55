"""Find the files of a text tower: by a name, in a folder, on the Hub. Imported without torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from os import PathLike
from pathlib import Path

from clipcond.checkpoints.tower_settings import OPEN_CLIP_CONFIG
from clipcond.errors import CheckpointError, first_line
from clipcond.files import is_file, local_path, near, read_json

WEIGHTS = "model.safetensors"
HALF_WEIGHTS = "model.fp16.safetensors"
SHARDS_INDEX = f"{WEIGHTS}.index.json"
PIPELINE_INDEX = "model_index.json"
PICKLED_WEIGHTS = ("pytorch_model.bin", "pytorch_model.fp16.bin", "model.ckpt")
# Without one of these, transformers makes up a tokenizer of two entries.
TOKENIZER_FILES = ("vocab.json", "tokenizer.json")
# Beginnings of the names in a whole model's file that are not the text half's.
OTHER_HALF = ("vision_model.", "visual_projection.", "logit_scale", "logit_bias")
EMBEDDED = Path(__file__).parent.parent / "embedded"
# What `load_tower` knows by name: the folder, looked up at each call.
NAMES: dict[str, Callable[[], Path]] = {
    "embedded": lambda: EMBEDDED / "model",
    "embedded-zh": lambda: EMBEDDED / "zh" / "tower",
}
# What the language of a name of ours is called.
_LANGUAGES = {
    name: re.compile(
        rf"(?:(?:clipcond|em?bed\w{{0,6}})[\s_.\-]*)?(?:{words})(?:[\s_.\-]*(?:clip|tower|model|encoder))?"
    )
    for name, words in (
        (
            "embedded-zh",
            r"zh(?:o|[\s_\-]?(?:cn|tw|hk|hans|hant))?|zn|hz|cn|ch[inst]?|china|chines\w?|mandarin|hans|中文|汉语|漢語",
        ),
        ("embedded", r"en(?:g|[\s_\-]?(?:us|gb))?|english|default|英文|英语"),
    )
}
# How pictures are prepared for a model's vision half: as older and as newer transformers write it.
PREPROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
# Files of a hub repository that a tower needs, as diffusers and as transformers lay them out.
HUB_FILES = [
    *("config.json", PIPELINE_INDEX, "special_tokens_map.json", OPEN_CLIP_CONFIG),
    *PREPROCESSOR_FILES,
    *("*vocab*", "merges.txt", "tokenizer*", "tokenizer*/*", "spiece.model"),
]
HUB_WEIGHTS = ["model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors"]
OPEN_CLIP_WEIGHTS = "open_clip_model.safetensors"
_NUMBERED = re.compile(r"(.+)#([1-9]\d{0,2})")


def split_part(
    source: str | PathLike[str], part: int | None
) -> tuple[str | PathLike[str], int | None]:
    """Split the number off "file.safetensors#2"."""
    numbered = _NUMBERED.fullmatch(str(source))
    if numbered is None or part is not None or local_path(source).exists():
        return source, part
    return numbered[1] if isinstance(source, str) else Path(numbered[1]), int(numbered[2])


def find_folder(source: str | PathLike[str], part: int | None) -> Path:
    """Find the folder with the files of a source; fetch it from the hub if need be."""
    path = local_path(source)
    if path.is_dir():
        return path
    is_hub_id = str(source).count("/") == 1 and not str(source).startswith((".", "~", "/"))
    if not isinstance(source, str) or not is_hub_id:
        guess = nearest_name(str(source))
        raise CheckpointError(
            f"there is no file or folder {str(source)!r}, and it is no name ({', '.join(NAMES)}) "
            f"or hub id (owner/model)",
            path,
            f"Did you mean {guess!r}?" if guess else near(path),
        )
    return _download_tower(str(source), part)


def nearest_name(typed: str) -> str | None:
    """Find the name of ours that was meant, by its language too: `embedded-cn`; None if none is."""
    folded = typed.strip().lower()
    for name, pattern in _LANGUAGES.items():
        if name in NAMES and pattern.fullmatch(folded):
            return name
    return next(iter(get_close_matches(folded, NAMES, 1, cutoff=0.8)), None)


def _download_tower(repo: str, part: int | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    inner = encoder_name(part)
    patterns = [*HUB_FILES, *HUB_WEIGHTS, f"{inner}/config.json"]
    patterns += [f"{inner}/{name}" for name in HUB_WEIGHTS]
    try:
        folder = Path(snapshot_download(repo, allow_patterns=patterns))
        is_open_clip = (folder / OPEN_CLIP_CONFIG).is_file()
        if is_open_clip and not (folder / "config.json").is_file():
            snapshot_download(repo, allow_patterns=[OPEN_CLIP_WEIGHTS])
        elif not any(any(each.glob("model*.safetensors*")) for each in (folder, folder / inner)):
            snapshot_download(repo, allow_patterns=[HALF_WEIGHTS, f"{inner}/{HALF_WEIGHTS}"])
        return folder
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(
            f"{repo!r} is no folder here, and could not be had from the hub: {first_line(error)}",
            repo,
            "Check the name and the connection; offline, only what was fetched before is there.",
        ) from error


def encoders_in(folder: Path) -> tuple[int, ...]:
    """Number the text encoders that a pipeline's index names, or that have a folder."""
    index = folder / PIPELINE_INDEX
    named = read_json(index) if index.exists() else {}

    def has(name: str) -> bool:
        entry = named.get(name)
        return any(entry) if isinstance(entry, list) else (folder / name).is_dir()

    return tuple(n for n in (1, 2) if has(encoder_name(n)))


def encoder_name(part: int | None) -> str:
    return "text_encoder" if part in (None, 1) else f"text_encoder_{part}"


def model_folder(folder: Path, part: int | None) -> Path:
    """Find the folder with the text model's config: a pipeline's encoder, or itself."""
    inner = folder / encoder_name(part)
    if (folder / "config.json").is_file():
        if part in (None, 1):
            return folder
        raise CheckpointError(f"{str(folder)!r} holds one text model, and no part {part}", folder)
    if not inner.is_dir():
        raise CheckpointError(
            f"{str(folder)!r} holds no text model",
            folder,
            f"Looked for {inner.name}/config.json (a diffusers pipeline) and config.json (a "
            "transformers model).",
        )
    return inner


def find_pickle(folder: Path) -> Path | None:
    """Find the pickle that holds a model folder's weights, where no safetensors file does."""
    found = _weights_file(folder)
    return found if found is not None and found.name in PICKLED_WEIGHTS else None


def weight_files(folder: Path) -> list[Path]:
    """List the safetensors files of a model folder: one, or the parts its index names.

    Raises:
        CheckpointError: there is none, or a part is missing.
    """
    found = _weights_file(folder)
    if found is None or found.name in PICKLED_WEIGHTS:
        remedy = f"Looked for {WEIGHTS}, {HALF_WEIGHTS}, {SHARDS_INDEX}."
        if found is not None:
            remedy = (
                f"{found.name} is a pickle, which can run code when opened: save the model as "
                f"safetensors, or say allow_pickle=True."
            )
        raise CheckpointError(f"there is no {WEIGHTS} in {str(folder)!r}", folder, remedy)
    if found.name != SHARDS_INDEX:
        return [found]
    weight_map = read_json(found).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(v, str) for v in weight_map.values()):
        message = f"{str(found)!r} has no weight_map from tensors to files"
        raise CheckpointError(message, found, "Download or save it again.")
    parts = sorted({folder / name for name in weight_map.values()})
    for part in parts:
        if not is_file(part):
            raise CheckpointError(f"{SHARDS_INDEX} names {part.name!r}, which is missing", part)
    return parts


def _weights_file(folder: Path) -> Path | None:
    names = (WEIGHTS, HALF_WEIGHTS, SHARDS_INDEX, *PICKLED_WEIGHTS)
    return next((folder / name for name in names if is_file(folder / name)), None)
