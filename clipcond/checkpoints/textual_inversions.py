"""Load textual inversions into towers, from files of diffusers, A1111's webui and ComfyUI.

    learned_embeds.safetensors, .bin    {"<name>": [D] or [n D]}                         diffusers
    name.pt                             {"string_to_param": {"*": [n D]}, "name", ...}   A1111
    name.pt                             the same, in a torch.nn.ParameterDict            its origin
    name.safetensors                    {"emb_params": [n D]}                            A1111
    name.safetensors                    {"clip_l": [n D], "clip_g": [n D]}               SDXL's pair
    learned_embeds.safetensors, learned_embeds_2.safetensors in one folder               SDXL's pair
    embeddings.safetensors              {"text_encoders_0": ..., "text_encoders_1": ...} pivotal
    lora.safetensors                    {"bundle_emb.<name>.string_to_param.*": ...}     in a LoRA

diffusers calls an inversion by what the file says; A1111 and ComfyUI by the name of the file. What
a file is, its content says, not its ending.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor

from clipcond.arguments import check_arguments
from clipcond.checkpoints.contents import describe, list_contents
from clipcond.checkpoints.file_formats import file_format, read_any_header
from clipcond.checkpoints.inversion_terms import Term, find_terms
from clipcond.checkpoints.old_pickles import read_old_pickle
from clipcond.checkpoints.pickles import named_tensors
from clipcond.checkpoints.tensors_on_disk import StoredTensors
from clipcond.errors import CheckpointError, TowerError, counted, excerpt
from clipcond.files import is_file, local_path, near
from clipcond.tokenizers.inversions import Inversions
from clipcond.towers.base import TextTower

InversionSource: TypeAlias = str | os.PathLike[str] | Tensor | Mapping[str, Any]

# As diffusers names them; the second of SDXL's pair is with `_2`.
IN_FOLDER = ("learned_embeds.safetensors", "learned_embeds.bin")
SECOND_IN_FOLDER = ("learned_embeds_2.safetensors", "learned_embeds_2.bin")
PAIR = ("clip_l", "clip_g")
MOST_BYTES = 64 * 2**20  # 75 vectors for each tower of SD3 are 2 MB


def load_inversion(
    towers: Sequence[TextTower],
    source: InversionSource,
    token: str | None = None,
    *,
    allow_pickle: bool = False,
    single: str | None = None,
) -> str:
    """Give one tower, or a pair, the vectors of a textual inversion; all of them or none.

    Args:
        single: the name of a file's only term; several keep their own. None = the one in the file.
    Returns:
        the name by which prompts use them; names joined by spaces, where a file has several.
    Raises:
        CheckpointError, TowerError, ArgumentError: see `Conditioner.load_inversion`.
    """
    check_arguments(token=token)
    keepers = [_keeper(tower) for tower in towers]
    path = local_path(source) if isinstance(source, str | os.PathLike) else None
    try:
        if path is None:
            own = str(source.get("name") or "") if isinstance(source, Mapping) else ""
            tensors: Mapping[str, Tensor] = dict(named_tensors(source))
            terms = _terms(source, tensors, token)
        else:
            own, (terms, tensors) = path.stem, _read(path, token, len(towers), allow_pickle)
        named: dict[str, list[Tensor]] = {}
        for term in terms:
            # token= first, then the file's own name for the term, then its file name
            given = (token or single) if len(terms) == 1 else None
            name = given or term.name or own
            if _folded(name) in map(_folded, named):
                raise TowerError(
                    f"two of its terms are called {excerpt(name)!r}, but for capitals",
                    "Load them one at a time, with token=.",
                )
            named[name] = _vectors(term, tensors, [keeper.width for keeper in keepers])
            for tower, keeper, rows in zip(towers, keepers, named[name], strict=True):
                keeper.check(name, rows)
                _check_free(name, tower)
    except TowerError as error:
        if path is None:
            raise
        raise CheckpointError(f"{str(path)!r}: {error.message}", path, error.remedy) from error
    for name, vectors in named.items():
        for keeper, rows in zip(keepers, vectors, strict=True):
            keeper.add(name, rows)
    return " ".join(named)


def name_of_file(path: Path, name: str | None = None) -> str | None:
    """Name a file's only inversion as A1111 and ComfyUI do; None = by what is in the file.

    That is so where diffusers has chosen the file's name, which is the same for all inversions.

    Args:
        name: what a list of files calls it; None = the file's name without its ending.
    """
    usual = {*IN_FOLDER, *SECOND_IN_FOLDER}
    return None if path.is_dir() or path.name in usual else name or path.stem


def remove_inversion(towers: Sequence[TextTower], name: str) -> None:
    """Forget the inversion of that name in every tower that has it.

    Raises:
        TowerError: none has it.
        ArgumentError: the name is no string.
    """
    check_arguments(name=name)
    keepers = [_keeper(tower) for tower in towers]
    for keeper in [keeper for keeper in keepers if keeper.ids(name)] or keepers[:1]:
        keeper.remove(name)


def hand_on(before: Sequence[TextTower], after: Sequence[TextTower]) -> None:
    """Give the inversions of some towers to their replacements, where the width is the same."""
    for old, new in zip(before, after, strict=False):
        kept = getattr(old, "inversions", None)
        if kept and hasattr(new, "inversions") and old is not new:
            new.inversions.update(kept)


def _folded(name: str) -> str:
    """Reduce a name to what towers compare: no capitals, single spaces."""
    return " ".join(name.split()).casefold()


def _keeper(tower: TextTower) -> Inversions:
    keeper = getattr(tower, "inversions", None)
    if not isinstance(keeper, Inversions):
        raise TowerError(f"{tower.name!r} takes no textual inversions", "Towers of CLIP do.")
    return keeper


def _check_free(name: str, tower: TextTower) -> None:
    if name in tower.tokenizer.source.added_tokens_encoder:  # type: ignore[attr-defined]
        raise TowerError(
            f"the tokenizer of {tower.name!r} has a token {excerpt(name)!r} already",
            "Say another token=, or unload it where it was loaded.",
        )


def _located(path: Path, n_towers: int) -> list[Path]:
    """Find the file; in a diffusers folder, those with its usual names, one for each tower."""
    if path.is_dir():
        both = IN_FOLDER, SECOND_IN_FOLDER
        found = [next(filter(is_file, (path / name for name in names)), None) for names in both]
        if found[0] is None:
            looked = f"Looked for {', '.join(IN_FOLDER)}."
            raise CheckpointError(f"{str(path)!r} holds no textual inversion", path, looked)
        return [file for file in found[:n_towers] if file is not None]
    if path.exists():
        return [path]
    raise CheckpointError(f"there is no file {str(path)!r}", path, near(path))


def _read(
    path: Path, token: str | None, n_towers: int, allow_pickle: bool
) -> tuple[tuple[Term, ...], Mapping[str, Tensor]]:
    """Read the terms of a file, or of the two files of a pair, and their tensors alone."""
    files = _located(path, n_towers)
    each = [_read_file(file, token, allow_pickle) for file in files]
    terms, tensors = each[0]
    if len(each) > 1:
        second_terms, second = each[1]
        tensors = {**tensors, **{f"{key}\0": tensor for key, tensor in second.items()}}
        others = {term.name: term for term in second_terms}
        for term in terms:
            other = others.get(term.name)
            if other is not None and None in term.tensors and None in other.tensors:
                term.tensors = {0: term.tensors[None], 1: f"{other.tensors[None]}\0"}
    return terms, tensors


def _read_file(
    path: Path, token: str | None, allow_pickle: bool
) -> tuple[tuple[Term, ...], Mapping[str, Tensor]]:
    if file_format(path, allow_pickle=allow_pickle) == "old pickle":
        values = read_old_pickle(path, MOST_BYTES)
        tensors = dict(named_tensors(values))
        return _terms(values, tensors, token), tensors
    header = read_any_header(path, allow_pickle=allow_pickle)
    terms = _chosen(find_terms({k: e.shape for k, e in header.entries.items()}), token)
    if not terms:
        found = list_contents(header)
        message = f"no textual inversion: it holds {describe(found)}"
        raise TowerError(message, found.advice or _KNOWN)
    entries = {full: header.entries[full] for term in terms for full in term.tensors.values()}
    n_bytes = sum(entry.stop - entry.start for entry in entries.values())
    if n_bytes > MOST_BYTES:
        message = f"no textual inversion: its vectors have {n_bytes // 2**20} MB"
        raise TowerError(message, _KNOWN)
    stored = StoredTensors(path, entries)
    name = header.metadata.get("name", "")
    if len(terms) == 1 and not terms[0].name and path.name in IN_FOLDER:
        terms[0].name = name
    return terms, {full: stored[full] for full in entries}


def _terms(values: object, tensors: Mapping[str, Tensor], token: str | None) -> tuple[Term, ...]:
    """Find the terms among values in memory.

    Raises:
        TowerError: there are none.
    """
    found = _chosen(find_terms({key: tuple(t.shape) for key, t in tensors.items()}), token)
    if found:
        return found
    if not isinstance(values, Mapping):
        raise TowerError(f"it holds {type(values).__name__}, no textual inversion", _KNOWN)
    keys = list(tensors or values)
    shown = ", ".join(repr(excerpt(str(key), 30)) for key in keys[:3]) or "nothing"
    held = counted(len(keys), "value")
    raise TowerError(f"no textual inversion: it holds {held}: {shown}", _KNOWN)


def _chosen(terms: tuple[Term, ...], token: str | None) -> tuple[Term, ...]:
    """Take the term of that name out of several; all of them where none is asked for."""
    if token is None or len(terms) < 2:
        return terms
    meant = tuple(term for term in terms if term.name == token)
    if not meant:
        names = ", ".join(repr(excerpt(term.name, 30)) for term in terms[:8])
        held = counted(len(terms), "term")
        raise TowerError(
            f"it holds {held}, and none is called {excerpt(token)!r}: {names}",
            "Say one of these as token=, or no token= for all of them.",
        )
    return meant


def _vectors(term: Term, tensors: Mapping[str, Tensor], widths: Sequence[int]) -> list[Tensor]:
    """Order a term's vectors by the towers; for a tower alone, take those that have its width.

    Raises:
        TowerError: it has none for so many towers.
    """
    found = {place: tensors[full] for place, full in term.tensors.items()}
    if len(widths) == 1:
        fitting = [rows for rows in found.values() if rows.shape[-1:] == (widths[0],)]
        return (fitting or list(found.values()))[:1]
    if None in found:
        rows = found[None]
        raise TowerError(
            f"vectors [{', '.join(map(str, rows.shape))}] for one tower; this is a pair, of "
            f"{' and '.join(map(str, widths))}",
            _PAIR_REMEDY,
        )
    for place, key in enumerate(PAIR):
        if place not in found:
            message = f"there are vectors for one tower of the pair only: no {key}"
            raise TowerError(message, _PAIR_REMEDY)
    return [found[place] for place in range(len(widths))]


_PAIR_REMEDY = (
    "Inversions for Stable Diffusion XL have clip_l and clip_g, or are two files in one folder: "
    f"{IN_FOLDER[0]} and {SECOND_IN_FOLDER[0]}."
)
_KNOWN = (
    "Known are diffusers' {'<name>': tensor}, A1111's string_to_param and emb_params, and XL's "
    "clip_l with clip_g."
)
