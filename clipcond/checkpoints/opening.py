"""Open a text tower from a name, a file, a folder or a hub id."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from clipcond.checkpoints.file_formats import read_any_header
from clipcond.checkpoints.folders import (
    HALF_WEIGHTS,
    KINDS,
    PIPELINE_INDEX,
    find_pickle,
    read_folder,
)
from clipcond.checkpoints.layouts import LAYOUTS, find_towers
from clipcond.checkpoints.single_file import open_file
from clipcond.checkpoints.tower_choice import TowerChoice
from clipcond.checkpoints.tower_settings import OPEN_CLIP_CONFIG
from clipcond.errors import CheckpointError, UnknownNameError, first_line, warn
from clipcond.files import local_path, near, read_json
from clipcond.locks import LOADING
from clipcond.tokenizers.word_piece import chinese_tokenizer
from clipcond.towers.base import TextTower

EMBEDDED = Path(__file__).parent.parent / "embedded"
# What `load_tower` knows by name: the folder, looked up at each call.
NAMES: dict[str, Callable[[], Path]] = {
    "embedded": lambda: EMBEDDED / "model",
    "embedded-zh": lambda: EMBEDDED / "zh" / "tower",
}
# Tokenizers of those of them that give other ids than the one in their folder.
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
TOKENIZERS: dict[str, Callable[[], Any]] = {"embedded-zh": chinese_tokenizer}
# Files of a hub repository that a text tower needs, as diffusers and as transformers lay them out.
HUB_FILES = [
    *("config.json", PIPELINE_INDEX, "special_tokens_map.json", OPEN_CLIP_CONFIG),
    *("*vocab*", "merges.txt", "tokenizer*", "tokenizer*/*"),
]
HUB_WEIGHTS = ["model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors"]
OPEN_CLIP_WEIGHTS = "open_clip_model.safetensors"
_NUMBERED = re.compile(r"(.+)#([1-9]\d{0,2})")


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
        kind: what it must be: "clip", "open_clip", "eva_clip", "chinese_clip", "alt_clip", "bert";
            None = anything.
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
    name, (place, part) = str(source), _part(source, part)
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
        encoders = _encoders(_folder(source, 1))
        parts = encoders if 2 in encoders else parts
    return tuple(
        load_tower(source, part=part, allow_pickle=allow_pickle, dtype=dtype, device=device)
        for part in parts
    )


def _part(source: str | PathLike[str], part: int | None) -> tuple[str | PathLike[str], int | None]:
    """Split the number off "file.safetensors#2"."""
    numbered = _NUMBERED.fullmatch(str(source))
    if numbered is None or part is not None or local_path(source).exists():
        return source, part
    return numbered[1] if isinstance(source, str) else Path(numbered[1]), int(numbered[2])


def _find_files(
    source: str | PathLike[str], choice: TowerChoice
) -> tuple[Path | None, Path, TowerChoice]:
    """Find the file to open, or None; the folder; and what is left to choose there."""
    path = local_path(source)
    if path.exists() and not path.is_dir():  # what it is, its reader says
        return path, path.parent, choice
    named = NAMES.get(str(source))
    folder = named() if named is not None else _folder(source, choice.part)
    if not (folder / "config.json").is_file() and (folder / OPEN_CLIP_CONFIG).is_file():
        return folder / OPEN_CLIP_WEIGHTS, folder, choice
    is_pipeline = named is None and (folder / PIPELINE_INDEX).exists()
    if choice.part is None and is_pipeline and _encoders(folder) == (1, 2):
        warn(
            f"{str(folder)!r} has a pair of text towers, and this is the first; "
            "Conditioner.from_model opens both, part=1 says that the first is meant"
        )
    folder = _model_folder(folder, choice.part)
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


def _folder(source: str | PathLike[str], part: int | None) -> Path:
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

    inner = _encoder_name(part)
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


def _encoders(folder: Path) -> tuple[int, ...]:
    """Number the text encoders that a pipeline's index names, or that have a folder."""
    index = folder / PIPELINE_INDEX
    named = read_json(index) if index.exists() else {}

    def has(name: str) -> bool:
        entry = named.get(name)
        return any(entry) if isinstance(entry, list) else (folder / name).is_dir()

    return tuple(n for n in (1, 2) if has(_encoder_name(n)))


def _encoder_name(part: int | None) -> str:
    return "text_encoder" if part in (None, 1) else f"text_encoder_{part}"


def _model_folder(folder: Path, part: int | None) -> Path:
    """Find the folder with the text model's config: a pipeline's encoder, or itself."""
    inner = folder / _encoder_name(part)
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
