"""Choose the columns of a list of pictures by their names: the prompt, the seed, and so on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from itertools import chain
from pathlib import Path

from clipcond.bulk.sources import find_column, no_column
from clipcond.errors import BulkError, excerpt, warn

# What a column of each role may be called; upper case, spaces and hyphens do not matter.
ROLES: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt", "prompts", "caption", "text", "提示词", "正向提示词", "正面提示词"),
    "negative": (
        *("negative", "negative_prompt", "neg", "uc", "negative_text"),
        *("反向提示词", "负面提示词", "负向提示词"),
    ),
    "seed": ("seed", "种子", "随机种子"),
    "steps": ("steps", "num_inference_steps", "num_steps", "n_steps", "sampling_steps", "步数"),
    "guidance": ("guidance", "guidance_scale", "cfg_scale", "cfg"),
    "clip_skip": ("clip_skip",),
    "size": ("size", "尺寸"),
    "width": ("width", "宽度"),
    "height": ("height", "高度"),
    "name": ("name", "id", "output"),
}
# Columns that look like settings but have no role: these are options, of all pictures of a run.
_NO_ROLES = frozenset(
    "dialect syntax weighting emphasis sampler sampler_name scheduler style styles region regions "
    "tower model checkpoint lora loras vae count batch_size denoising_strength strength resolution "
    "采样器 风格".split()
)
SAY_COLUMN = "Say which column is which with columns=."
_SPELLED = {name: role for role, names in ROLES.items() if role != "name" for name in names}


def choose_columns(
    asked: Mapping[str, str], path: Path, present: Sequence[str]
) -> Mapping[str, str] | None:
    """Choose the columns of a file; None = its only column is text without a header.

    Args:
        asked: what the user has said: the column of a role; "" = none.
        present: the names in its header; none of a file without one.
    Raises:
        BulkError: there is no column of the prompts, or two of the same, or one is asked for that
            is not there.
    """
    if not present:
        if path.suffix.lower() == ".txt" and any(asked.values()):
            name = next(filter(None, asked.values()))
            message = f"{str(path)!r} has no columns, but {name!r} is asked for"
            raise BulkError(message, SAY_COLUMN)
        return asked
    is_text = path.suffix.lower() == ".tsv" and len(present) == 1
    if is_text and not asked and _folded(present[0]) not in ROLES["prompt"]:
        return None
    found: dict[str, str] = {}
    for role, name in asked.items():
        column = find_column(path, present, [name], SAY_COLUMN) if name else ""
        if column is None:
            raise no_column(path, present, [name], SAY_COLUMN)
        found[role] = column
    chosen, unused = columns_by_names(tuple(present), tuple(found.items()))
    if isinstance(chosen, str):
        raise BulkError(f"{str(path)!r}: {chosen}", SAY_COLUMN)
    if "prompt" not in chosen:
        raise no_column(path, present, ROLES["prompt"][:4], SAY_COLUMN)
    warn_of_unused(unused)
    return {**asked, **chosen}


@lru_cache(256)  # of JSON, each row has names
def columns_by_names(
    present: tuple[str, ...], asked: tuple[tuple[str, str], ...]
) -> tuple[Mapping[str, str] | str, tuple[str, ...]]:
    """Find the column of each role, or say what is wrong with the names.

    Args:
        asked: what the user has said; "" as a column = none.
    Returns:
        the columns, and those that look like settings and change nothing.
    """
    said = dict(asked)
    found = {role: column for role, column in said.items() if column in present}
    folded: dict[str, list[str]] = {}
    for name in present:
        folded.setdefault(_folded(name), []).append(name)
    unused = [column for name in folded if name in _NO_ROLES for column in folded[name]]
    for role, names in ROLES.items():
        spelled = [folded[name] for name in names if name in folded]
        if role in said or not spelled:
            continue
        if len(spelled[0]) > 1:
            return f"{' and '.join(map(repr, spelled[0]))} are the same column", ()
        found[role] = spelled[0][0]
        if role not in ("prompt", "name"):  # a table may have captions besides its prompts
            unused += chain.from_iterable(spelled[1:])
    taken = {*found.values(), *unused}
    for name in present:
        near = get_close_matches(_folded(name), _SPELLED, 1, 0.8)
        if near and name not in taken and _SPELLED[near[0]] not in {*found, *said}:
            return f"it has an unknown {excerpt(name)!r}. Did you mean {near[0]!r}?", ()
    return found, tuple(name for name in unused if name not in found.values())


def warn_of_unused(columns: Sequence[str]) -> None:
    """Warn of columns that look like settings and change nothing."""
    if columns:
        listed = ", ".join(repr(excerpt(name)) for name in columns)
        is_one = len(columns) == 1
        noun = "the column" if is_one else "the columns"
        change = "changes no picture: it is" if is_one else "change no picture: they are"
        warn(f"{noun} {listed} {change} only carried along into metadata.jsonl")


def _folded(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())
