"""Read what pictures to draw: a prompt a row, and what else a row says of its pictures."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path, PurePosixPath

from clipcond.bulk import sources
from clipcond.bulk.captions import text_in
from clipcond.bulk.prompt_columns import (
    ROLES,
    SAY_COLUMN,
    choose_columns,
    columns_by_names,
    warn_of_unused,
)
from clipcond.bulk.rows import Row, read_rows, row_of_json
from clipcond.bulk.sources import Place, Source
from clipcond.errors import BulkError, excerpt
from clipcond.tables import BadRow

MAX_SEED = 2**64 - 1  # what torch's generators take
MAX_GUIDANCE = 100
_MOST_NAME = 80  # characters of a name that are part of a file's
_SIZE = re.compile(r"([1-9]\d{0,4})[xX×*]([1-9]\d{0,4})")
_FILE_NAME = re.compile(r"[^\w.+-]+")
# A line of JSON, whole or broken; `{cat}` and `["a cat":0.5]` are prompts.
LIKE_JSON = re.compile(
    r"""\s*(\{\s*(["']\w*["']?\s*(:|,?\s*$)|(prompt|negative|seed)\s*:|\}?,?\s*$)"""
    r"""|\[\s*(\{|$|"[^"]*"?\s*(,\s*"[^"]*"?\s*)*\]?,?\s*$)|[\]}]\s*,?\s*$)"""
)


@dataclass(frozen=True, slots=True)
class PicturePrompt:
    """A row of a list of pictures, or what is wrong with it.

    Args:
        number: the row's place among those of all files, from 0.
        file: the file's number in the list of sources.
        line: in that file, from 1; or the row of a Parquet file.
        negative, seed, steps, guidance, clip_skip, size: None = not said.
        size: width and height in pixels.
        name: part of the file's name; "" = none.
        others: the columns that say nothing of these.
        error: why it cannot be used; "" = it can.
    """

    number: int
    file: int
    line: int
    prompt: str = ""
    negative: str | None = None
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    clip_skip: int | None = None
    size: tuple[int, int] | None = None
    name: str = ""
    others: Mapping[str, object] = field(default_factory=dict)
    error: str = ""


def find_prompts(
    prompts: str | PathLike[str], columns: Mapping[str, str] | None = None
) -> tuple[list[Source], list[Path]]:
    """Look through a file of prompts, or all of a folder and its subfolders, sorted by name.

    Args:
        columns: the column of a role, such as {"prompt": "Prompt", "seed": "Nr"}; "" = none. The
            others are found by their names.
    Returns:
        the files, and those in the folder that are of another kind.
    Raises:
        BulkError: there are none, or one cannot be read or has no such column.
    """
    asked = dict(columns or {})
    for role in asked:
        if role not in ROLES:
            raise BulkError(f"there is no column of kind {role!r}", f"Known: {', '.join(ROLES)}.")
    if not asked.get("prompt", "-"):
        raise BulkError("the column of the prompts has a name", SAY_COLUMN)
    return sources.find_sources(prompts, partial(choose_columns, asked), what="prompts", carry=True)


def read_prompts(
    found: Sequence[Source], place: Place, first: int, n_rows: int
) -> Iterator[PicturePrompt]:
    """Read prompts from a place on, bad ones included.

    Args:
        place: one of `places_of`.
        first: the number of the row there, among those of all files.
    Raises:
        BulkError: a file has changed since it was looked through, or cannot be read.
    """
    known: set[tuple[str, ...]] = set()
    for number, (file, line, row) in enumerate(read_rows(found, place, n_rows), first):
        names = tuple(row) if isinstance(row, dict) and not found[file].header else ()
        if first == 0 and names not in known:  # the columns of tables are known before
            known.add(names)
            warn_of_unused(columns_by_names(names, tuple(found[file].columns.items()))[1])
        try:
            yield _prompt_of(number, file, line, row, found[file])
        except BadRow as error:
            yield PicturePrompt(number, file, line, error=str(error))


def _prompt_of(number: int, file: int, line: int, row: Row, source: Source) -> PicturePrompt:
    if isinstance(row, str) and source.path.suffix.lower() == ".txt" and LIKE_JSON.match(row):
        row = row_of_json(row)
    if isinstance(row, BadRow):
        raise row
    if isinstance(row, str):
        return PicturePrompt(number, file, line, _text(row, "prompt"))
    is_json = not source.header
    chosen: Mapping[str, str] | str = source.columns
    if is_json:
        chosen, _ = columns_by_names(tuple(row), tuple(source.columns.items()))
    if isinstance(chosen, str):
        raise BadRow(chosen)
    if "prompt" not in chosen:
        wanted = source.columns.get("prompt")
        raise BadRow(f"it has no {wanted!r}" if wanted else 'it has no "prompt"')
    said = {role: row[name] for role, name in chosen.items() if name}
    said = {role: value for role, value in said.items() if not _is_nothing(value)}
    used = {*chosen.values()}
    return PicturePrompt(
        *(number, file, line, _text(said.get("prompt"), chosen["prompt"])),
        negative=_text(said["negative"], "negative") if "negative" in said else None,
        seed=_whole(said, "seed", 0),
        steps=_whole(said, "steps", 1),
        guidance=_guidance(said),
        clip_skip=_whole(said, "clip_skip", 1),
        size=_size(said),
        name=_name(said.get("name", "")),
        others={name: _plain(value) for name, value in row.items() if name not in used},
    )


def _is_nothing(value: object) -> bool:
    """Whether a table says nothing there: null, NaN, or an empty cell."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return value is None or is_nan or (isinstance(value, str) and not value.strip())


def _text(value: object, column: str) -> str:
    text = BadRow("it is empty") if value is None else text_in(value, column)
    if isinstance(text, BadRow):
        raise text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRow(f"not valid UTF-8 at character {error.start}") from None
    return text


def _whole(said: Mapping[str, object], role: str, least: int) -> int | None:
    if role not in said:
        return None
    value = said[role]
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,30}(\.0*)?\s*", value):
        value = int(value.partition(".")[0])
    if isinstance(value, float) and value.is_integer():  # pandas', where some are missing
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRow(f"{role!r} is a whole number, not {excerpt(json.dumps(value, default=str))}")
    if not least <= value <= MAX_SEED:
        raise BadRow(f"{role!r} is from {least} to {MAX_SEED}, not {excerpt(str(value))}")
    return value


def _guidance(said: Mapping[str, object]) -> float | None:
    if "guidance" not in said:
        return None
    value = said["guidance"]
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float):
        shown = excerpt(json.dumps(value, default=str))
        raise BadRow(f"'guidance' is a number, not {shown}")
    if not 0 <= number <= MAX_GUIDANCE:
        raise BadRow(f"'guidance' is from 0 to {MAX_GUIDANCE}, not {number}")
    return number


def _size(said: Mapping[str, object]) -> tuple[int, int] | None:
    width, height = _whole(said, "width", 1), _whole(said, "height", 1)
    if "size" in said:
        typed = said["size"]
        sides = _SIZE.fullmatch(typed.strip()) if isinstance(typed, str) else None
        if sides is None:
            shown = excerpt(json.dumps(typed, default=str))
            raise BadRow(f"{shown} is no WIDTHxHEIGHT, such as 512x768")
        width, height = int(sides[1]), int(sides[2])
    if (width is None) != (height is None):
        raise BadRow("it has one of 'width' and 'height'")
    return None if width is None or height is None else (width, height)


def _name(value: object) -> str:
    """Make a part of a file's name, without folders and endings of pictures."""
    name = PurePosixPath(str(value).replace("\\", "/"))
    is_picture = name.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"}
    stem = name.stem if is_picture else name.name
    return _FILE_NAME.sub("-", stem)[:_MOST_NAME].strip("-.")


def _plain(value: object) -> object:
    """Leave what JSON can hold; NaN is null, within lists and objects too."""
    if isinstance(value, list | dict):
        return json.loads(json.dumps(value), parse_constant=lambda _: None)
    return None if isinstance(value, float) and not math.isfinite(value) else value
