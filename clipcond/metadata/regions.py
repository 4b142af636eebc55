"""The regions of a picture in its parameters: their texts, and which masks they had.

Regions: ["left: a cat", "mask.png: a dog"], Base share: 0.2, Region masks: "mask.png: 1f2e3d..."
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from clipcond.errors import PromptSyntaxError, excerpt
from clipcond.prompt.region_texts import read_region

if TYPE_CHECKING:
    from clipcond.metadata.parameters import Parameters

REGIONS, SHARE, MASKS = "Regions", "Base share", "Region masks"


def written_regions(texts: Sequence[str], base_share: float | None) -> dict[str, str]:
    """Write regions as settings, `Parameters.others`: {} if there are none.

    Args:
        texts: as `regional` reads them.
        base_share: None = the usual one.
    """
    if not texts:
        return {}
    masks = dict.fromkeys(mask for text in texts if (mask := read_region(text).mask))
    written = {REGIONS: json.dumps([*texts], ensure_ascii=False)}
    if base_share is not None:
        written[SHARE] = f"{base_share!r}"
    if masks:
        written[MASKS] = json.dumps({each: _hash_of(each) for each in masks}, ensure_ascii=False)
    return written


def settings_here(parameters: Parameters) -> dict[str, str]:
    """List `others` of a picture, with its masks named where they are now.

    A mask is looked for where it was, and next to the picture; of several files the one that the
    picture was made with is taken.
    """
    others, folder = {**parameters.others}, parameters._folder
    known, texts = _read(others.get(MASKS, "null")), region_texts_of(others)
    if folder is None or not isinstance(known, dict) or not texts:
        return others
    named = {mask: _find(mask, hash_, folder) for mask, hash_ in known.items()}
    others[REGIONS] = json.dumps([_moved(text, named) for text in texts], ensure_ascii=False)
    others[MASKS] = json.dumps(
        {named[mask]: hash_ for mask, hash_ in known.items()}, ensure_ascii=False
    )
    return others


def base_name(file: str) -> str:
    """Find the last part of a file's name, as any system writes it."""
    return re.split(r"[\\/]", file)[-1]


def _find(mask: str, hash_: object, folder: str) -> str:
    names = [mask, os.path.join(folder, mask), os.path.join(folder, base_name(mask))]
    there = [name for name in names if os.path.isfile(name)]
    return next((name for name in there if _hash_of(name) == hash_), [*there, mask][0])


def _moved(text: str, named: Mapping[str, str]) -> str:
    """Put the file of a mask in the place of its former name in the text of a region."""
    typed = text.lstrip()
    for mask, file in named.items():
        if typed.startswith(mask) and typed[len(mask) :].lstrip()[:1] in ("*", "×", ":", "："):
            return file + typed[len(mask) :]
    return text


def region_texts_of(others: Mapping[str, str]) -> tuple[str, ...]:
    """Read the texts of regions in settings; () if there are none that can be read."""
    texts = _read(others.get(REGIONS, "[]"))
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        return ()
    return tuple(texts)


def base_share_of(others: Mapping[str, str]) -> float | None:
    """Read the base prompt's share within regions; None = the usual one."""
    share = _read(others.get(SHARE, "null"))
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    return float(share) if is_number and 0 <= share < 1 else None  # type: ignore[arg-type, operator]


def regions_not_honoured(others: Mapping[str, str]) -> list[str]:
    """List what of the regions in settings cannot be drawn, or is another mask now."""
    missing = []
    if REGIONS in others and not region_texts_of(others):
        missing.append(f"{REGIONS}: {excerpt(others[REGIONS])}, which are none of clipcond's.")
    for text in region_texts_of(others):
        try:
            read_region(text)
        except PromptSyntaxError as error:
            missing.append(f"{REGIONS}: {excerpt(text)}: {error.message}.")
    if SHARE in others and base_share_of(others) is None:
        missing.append(f"{SHARE}: {excerpt(others[SHARE])}")
    masks = _read(others.get(MASKS, "{}"))
    if not isinstance(masks, dict):
        missing.append(f"{MASKS}: {excerpt(others[MASKS])}")
        masks = {}
    for file, known in masks.items():
        if os.path.isfile(file) and _hash_of(file) != known:
            missing.append(f"The mask {file!r} is another file than the picture was made with.")
    return missing


def _read(value: str) -> object:
    try:
        found: object = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found


def _hash_of(file: str) -> str:
    return sha256(Path(file).read_bytes()).hexdigest()[:12] if os.path.isfile(file) else ""
