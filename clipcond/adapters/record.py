"""The alignment record of an adapter, and frozen dataclasses like it as checked JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from clipcond.errors import excerpt

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

VERSION = 1  # of the adapter file; a change that older versions cannot read increases it

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class AlignmentRecord:
    """Which tower an adapter was trained for, into which UNet, and how. Hashes: `fingerprints`.

    Args:
        tower: hash of the tower whose states the adapter reads.
        tower_name: its name.
        tower_clip_skips: the layers of the tower it was trained on, counted as clip_skip.
        teacher: hash of the UNet's own text tower; for a pair both, joined by "+".
        teacher_clip_skips: the teacher's layers that were matched.
        unet: hash of the UNet's cross-attention keys and values.
        family: "sd1", "sd2", "sdxl", "sdxl-refiner": the text space.
        width: D, the width of the UNet's cross-attention.
        data: what it was trained on, in words.
        n_pairs: the number of pairs of captions.
        stages: steps of each stage, {"text": 1000, "unet": 500}.
        losses: the values reached, by name.
        minutes: the duration of the training.
        version: of the file format.
    """

    tower: str
    tower_name: str
    tower_clip_skips: tuple[int, ...]
    teacher: str
    teacher_clip_skips: tuple[int, ...]
    unet: str
    family: str
    width: int
    data: str
    n_pairs: int
    stages: Mapping[str, int]
    losses: Mapping[str, float]
    minutes: float
    version: int = VERSION


def to_json(value: DataclassInstance) -> str:
    """Write the fields of a dataclass as one line of JSON.

    Raises:
        ValueError: a field has another type than declared, or is NaN or infinite; says which.
    """
    found = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(value).items()}
    _check(type(value), found)
    return json.dumps(found, allow_nan=False, ensure_ascii=False)


def from_json(kind: type[T], text: str) -> T:
    """Read the dataclass `kind` that `to_json` wrote.

    Raises:
        ValueError: no JSON object, or a field is missing, unknown or of another type; says which.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {excerpt(str(error), 100)}") from error
    if not isinstance(found, dict):
        raise ValueError(f"it is no JSON object but {excerpt(repr(found))}")
    _check(kind, found)
    convert = {"tuple[int, ...]": tuple, "float": float}
    types = {field.name: str(field.type) for field in fields(kind)}
    return kind(**{k: convert.get(types[k], lambda same: same)(v) for k, v in found.items()})


def _check(kind: type[DataclassInstance], found: Mapping[str, object]) -> None:
    types = {field.name: str(field.type) for field in fields(kind)}
    for name in sorted(types.keys() - found.keys()):
        raise ValueError(f"it lacks {name!r}")
    for name in sorted(found.keys() - types.keys()):
        raise ValueError(f"it has an unknown field, {excerpt(name)!r}")
    for name, declared in types.items():
        expected, is_valid = _TYPES[declared]
        if not is_valid(found[name]):
            raise ValueError(f"{name!r} should be {expected}, found {excerpt(repr(found[name]))}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


def _maps(value: object, is_valid: Callable[[object], bool]) -> bool:
    pairs = value.items() if isinstance(value, dict) else [(None, None)]
    return all(isinstance(key, str) and is_valid(each) for key, each in pairs)


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_int, value))


# The declared types of fields: what messages call them, and the check.
_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "str": ("a text", lambda value: isinstance(value, str)),
    "int": ("a whole number", _is_int),
    "int | None": ("a whole number or null", lambda value: value is None or _is_int(value)),
    "float": ("a finite number", _is_number),
    "tuple[int, ...]": ("a list of whole numbers", _is_list),
    "Mapping[str, int]": ("names with whole numbers", lambda value: _maps(value, _is_int)),
    "Mapping[str, float]": ("names with finite numbers", lambda value: _maps(value, _is_number)),
}
