"""Load textual inversions into towers, from files of diffusers, A1111's webui and ComfyUI.

    learned_embeds.safetensors, .bin    {"<name>": [D] or [n D]}                         diffusers
    name.pt                             {"string_to_param": {"*": [n D]}, "name", ...}   A1111
    name.pt                             the same, in a torch.nn.ParameterDict            its origin
    name.safetensors                    {"emb_params": [n D]}                            A1111
    name.safetensors                    {"clip_l": [n D], "clip_g": [n D]}               SDXL's pair

diffusers calls an inversion by what the file says; A1111 and ComfyUI by the name of the file.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from clipcond.checkpoints.folders import read_weights
from clipcond.checkpoints.pickles import check_torch
from clipcond.checkpoints.torchscript import InertObject
from clipcond.errors import CheckpointError, TowerError, counted, excerpt
from clipcond.files import near
from clipcond.tokenizers.inversions import Inversions
from clipcond.towers.base import TextTower

__all__ = [
    "InversionSource",
    "find_inversion",
    "hand_on",
    "inversion_names",
    "load_inversion",
    "remove_inversion",
]

InversionSource: TypeAlias = str | os.PathLike[str] | Tensor | Mapping[str, Any]

PAIR = ("clip_l", "clip_g")
ENDINGS = (".safetensors", ".pt", ".bin")
IN_FOLDER = ("learned_embeds.safetensors", "learned_embeds.bin")
MOST_BYTES = 64 * 2**20  # 75 vectors for each tower of SD3 are 2 MB


def load_inversion(
    towers: Sequence[TextTower],
    source: InversionSource,
    token: str | None = None,
    *,
    allow_pickle: bool = False,
) -> str:
    """Give one tower, or a pair, the vectors of a textual inversion; all of them or none.

    Returns:
        the name by which prompts use them.
    Raises:
        CheckpointError, TowerError: see `Conditioner.load_inversion`.
    """
    keepers = [_keeper(tower) for tower in towers]
    path = _located(source) if isinstance(source, str | os.PathLike) else None
    values = source if path is None else _read(path, allow_pickle=allow_pickle)
    try:
        found, vectors = _vectors(values, [keeper.width for keeper in keepers])
        # what A1111 called it; used where values without a file say no other name
        own = str(values.get("name") or "") if isinstance(values, Mapping) else ""
        name = token or found or (own if path is None else path.stem)
        for tower, keeper, rows in zip(towers, keepers, vectors, strict=True):
            keeper.check(name, rows)
            if name in tower.tokenizer.source.added_tokens_encoder:  # type: ignore[attr-defined]
                raise TowerError(
                    f"the tokenizer of {tower.name!r} has a token {excerpt(name)!r} already",
                    "Say another token=, or unload it where it was loaded.",
                )
    except TowerError as error:
        if path is None:
            raise
        raise CheckpointError(f"{str(path)!r}: {error.message}", path, error.remedy) from error
    for keeper, rows in zip(keepers, vectors, strict=True):
        keeper.add(name, rows)
    return name


def remove_inversion(towers: Sequence[TextTower], name: str) -> None:
    """Forget the inversion of that name in every tower that has it.

    Raises:
        TowerError: none has it.
    """
    keepers = [_keeper(tower) for tower in towers]
    for keeper in [keeper for keeper in keepers if keeper.ids(name)] or keepers[:1]:
        keeper.remove(name)


def hand_on(before: Sequence[TextTower], after: Sequence[TextTower]) -> None:
    """Give the inversions of some towers to their replacements, where the width is the same."""
    for old, new in zip(before, after, strict=False):
        kept = getattr(old, "inversions", None)
        if kept and hasattr(new, "inversions") and old is not new:
            new.inversions.update(kept)


def inversion_names(towers: Sequence[TextTower]) -> tuple[str, ...]:
    """List the names of the inversions that the towers keep themselves."""
    keepers = [getattr(tower, "inversions", None) for tower in towers]
    return tuple(dict.fromkeys(name for keeper in keepers if keeper for name in keeper.names))


def find_inversion(towers: Sequence[TextTower], name: str) -> str | None:
    """Find an inversion by `name`, `<name>`, or either with a file's ending; None if none fits."""
    bare = name.removesuffix(next((e for e in ENDINGS if name.endswith(e)), ""))
    for guess in (name, bare, f"<{bare}>"):
        for tower in towers:
            if guess and hasattr(tower.tokenizer, "named") and tower.tokenizer.named(guess):
                return guess
    return None


def _keeper(tower: TextTower) -> Inversions:
    keeper = getattr(tower, "inversions", None)
    if not isinstance(keeper, Inversions):
        raise TowerError(f"{tower.name!r} takes no textual inversions", "Towers of CLIP do.")
    return keeper


def _located(source: str | os.PathLike[str]) -> Path:
    """Find the file; in a diffusers folder, the one with its usual name."""
    path = Path(source).expanduser()
    for file in [path / name for name in IN_FOLDER] if path.is_dir() else [path]:
        if file.is_file():
            return file
    if path.is_dir():
        looked = f"Looked for {', '.join(IN_FOLDER)}."
        raise CheckpointError(f"{str(path)!r} holds no textual inversion", path, looked)
    raise CheckpointError(f"there is no file {str(path)!r}", path, near(path))


def _read(path: Path, *, allow_pickle: bool) -> Any:
    """Read what a file holds: tensors by name, or what was pickled."""
    n_bytes = path.stat().st_size
    if n_bytes > MOST_BYTES:
        raise _no_inversion(path, f"it has {n_bytes // 2**20} MB, as a whole model has")
    if path.suffix.lower() == ".safetensors":
        return {key: tensor for key, (tensor, _) in read_weights([path]).items()}
    if not allow_pickle:
        raise CheckpointError(
            f"{str(path)!r} is a pickle, which can run code when opened",
            path,
            "Save it as safetensors; or say allow_pickle=True, and only its tensors are read.",
        )
    check_torch(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                    raise _no_inversion(path, "unpacked it is as large as a whole model")
        # the first inversions were saved in one. Source: rinongal/textual_inversion,
        # ldm/modules/embedding_manager.py, save
        known: list[Any] = [(InertObject, "torch.nn.modules.container.ParameterDict")]
        with torch.serialization.safe_globals(known):
            return torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # the unpickler lets through what it meets
        raise CheckpointError(
            f"{str(path)!r} cannot be read: it is damaged, or more than tensors is in it",
            path,
            "Download it again, or look for a .safetensors version.",
        ) from error


def _vectors(values: Any, widths: Sequence[int]) -> tuple[str, list[Tensor]]:
    """Find the name that the values give, or "", and the vectors of each tower.

    Raises:
        TowerError: no inversion, or none for so many towers.
    """
    if isinstance(values, Tensor):
        return "", _for_one(values, widths)
    if not isinstance(values, Mapping):
        kind = "ParameterDict" if isinstance(values, InertObject) else type(values).__name__
        raise TowerError(f"it holds {kind}, no textual inversion", _KNOWN)
    pair = {key: values[key] for key in PAIR if isinstance(values.get(key), Tensor)}
    if pair:
        return "", _for_pair(pair, widths)
    if isinstance(values.get("emb_params"), Tensor):
        return "", _for_one(values["emb_params"], widths)
    inner = values.get("string_to_param")
    if isinstance(inner, InertObject):
        inner = inner.state.get("_parameters") if isinstance(inner.state, dict) else None
    named = inner if isinstance(inner, Mapping) else values
    if len(named) != 1 or not isinstance(next(iter(named.values())), Tensor):
        shown = ", ".join(repr(excerpt(str(key), 30)) for key in list(named)[:3]) or "nothing"
        held = counted(len(named), "value")
        raise TowerError(f"no textual inversion: it holds {held}: {shown}", _KNOWN)
    ((name, rows),) = named.items()
    return "" if named is inner else str(name), _for_one(rows, widths)


def _for_one(rows: Tensor, widths: Sequence[int]) -> list[Tensor]:
    if len(widths) > 1:
        raise TowerError(
            f"vectors [{', '.join(map(str, rows.shape))}] for one tower; this is a pair, of "
            f"{' and '.join(map(str, widths))}",
            _PAIR_REMEDY,
        )
    return [rows]


def _for_pair(found: dict[str, Tensor], widths: Sequence[int]) -> list[Tensor]:
    """The vectors in the order of the towers; for a tower alone, those that fit it."""
    if len(widths) == 1:
        fitting = [rows for rows in found.values() if rows.shape[-1:] == (widths[0],)]
        return (fitting or list(found.values()))[:1]
    for key in PAIR:
        if key not in found:
            message = f"there are vectors for one tower of the pair only: no {key}"
            raise TowerError(message, _PAIR_REMEDY)
    return list(found.values())


def _no_inversion(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{str(path)!r} holds no textual inversion: {why}", path, _KNOWN)


_PAIR_REMEDY = "Inversions for Stable Diffusion XL have clip_l and clip_g."
_KNOWN = (
    "Known are diffusers' {'<name>': tensor}, A1111's string_to_param and emb_params, and XL's "
    "clip_l with clip_g."
)
