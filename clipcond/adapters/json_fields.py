"""Frozen dataclasses of plain values to JSON and back, every field checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, TypeVar

from clipcond.errors import excerpt

__all__ = ["from_json", "to_json"]

T = TypeVar("T")


def to_json(value: Any) -> str:
    """One line of JSON with the fields of a dataclass.

    Raises:
        ValueError: a field is of another type than it says, NaN or infinite; says which.
    """
    stated = asdict(value)
    for field in fields(value):
        if field.type == "tuple[int, ...]":
            stated[field.name] = list(stated[field.name])
    _check(type(value), stated)
    return json.dumps(stated, allow_nan=False, ensure_ascii=False)


def from_json(kind: type[T], text: str) -> T:
    """The dataclass `kind` that `to_json` wrote.

    Raises:
        ValueError: no JSON object, or a field is missing, unknown or of another type; says which.
    """
    try:
        stated = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {excerpt(str(error), 100)}") from error
    if not isinstance(stated, dict):
        raise ValueError(f"it is no JSON object but {excerpt(repr(stated))}")
    _check(kind, stated)
    for field in fields(kind):  # type: ignore[arg-type]
        if field.type == "tuple[int, ...]":
            stated[field.name] = tuple(stated[field.name])
        elif field.type == "float":
            stated[field.name] = float(stated[field.name])
    return kind(**stated)


def _check(kind: type, stated: dict[str, Any]) -> None:
    expected = {field.name: str(field.type) for field in fields(kind)}
    missing = sorted(set(expected) - set(stated))
    unknown = sorted(set(stated) - set(expected))
    if missing:
        raise ValueError(f"it lacks {missing[0]!r}")
    if unknown:
        raise ValueError(f"it has an unknown field, {excerpt(unknown[0])!r}")
    for name, wanted in expected.items():
        if not _CHECKS[wanted](stated[name]):
            raise ValueError(
                f"{name!r} should be {_TOLD.get(wanted, wanted)}, found "
                f"{excerpt(repr(stated[name]))}"
            )


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


def _maps(is_value: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, dict)
        and all(isinstance(key, str) and is_value(each) for key, each in value.items())
    )


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": _is_int,
    "int | None": lambda value: value is None or _is_int(value),
    "float": _is_number,
    "tuple[int, ...]": lambda value: isinstance(value, list) and all(map(_is_int, value)),
    "Mapping[str, int]": _maps(_is_int),
    "Mapping[str, float]": _maps(_is_number),
}
_TOLD = {
    "str": "a text",
    "int": "a whole number",
    "int | None": "a whole number or null",
    "float": "a finite number",
    "tuple[int, ...]": "a list of whole numbers",
    "Mapping[str, int]": "names with whole numbers",
    "Mapping[str, float]": "names with finite numbers",
}
