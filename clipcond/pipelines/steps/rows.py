"""Mark rows of embeddings, recognise them in the calls of a denoiser, and put others there."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from itertools import count
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

# A marked row carries its number in its first values, a digit in each: 1 + digit / 64 is exact in
# bfloat16 and float16 too, so a number survives every change of dtype.
BASE, DIGITS = 64, 4
_SERIALS = count(1)
Found = TypeVar("Found")


class MarkedRows:
    """Marked rows of text in one argument of a denoiser.

    Args:
        shown: [M ...] what the pipeline gets, but for the marks.
    """

    def __init__(self, shown: Tensor) -> None:
        self.shown, self.markers = shown, shown.clone()
        serials = [next(_SERIALS) % (BASE**DIGITS - 1) + 1 for _ in shown]
        digits = [[serial // BASE**i % BASE for i in range(DIGITS)] for serial in serials]
        values = torch.tensor(digits, dtype=torch.float32) / BASE + 1
        self.markers.flatten(1)[:, :DIGITS] = values.to(shown)
        self.places = {serial: i for i, serial in enumerate(serials)}

    def place(self, serial: int, row: Tensor) -> int | None:
        """Find which marked row has this number; None if the row is not exactly that one."""
        place = self.places.get(serial)
        if place is None or not torch.equal(self.markers[place].to(row), row):
            return None
        return place


def read_serials(tensor: Tensor) -> list[int]:
    """Read the number in each row of a tensor [b ...], 0 where there is none; syncs a device."""
    values = tensor.detach().flatten(1)[:, :DIGITS].cpu().double()
    if values.shape[1] < DIGITS:
        return [0] * len(tensor)
    digits = (values - 1) * BASE
    whole = ((digits >= 0) & (digits < BASE) & (digits == digits.floor())).all(dim=1)
    places = torch.tensor([BASE**i for i in range(DIGITS)], dtype=torch.float64)
    numbers: list[float] = digits.where(whole[:, None], 0.0).matmul(places).tolist()
    return [int(number) for number in numbers]


class Seen(Generic[Found]):
    """What was found in the last tensors: a loop hands in the same ones at each step."""

    def __init__(self, n: int = 8) -> None:
        self._n = n
        self._found: list[tuple[weakref.ref[Tensor], int, Found]] = []

    def __call__(self, tensor: Tensor, find: Callable[[Tensor], Found]) -> Found:
        if tensor.is_inference():  # has no version: it may have been changed in place
            return find(tensor)
        for reference, version, found in self._found:
            if reference() is tensor and version == tensor._version:
                return found
        found = find(tensor)
        self._found = [*self._found, (weakref.ref(tensor), tensor._version, found)][-self._n :]
        return found


def map_tensors(value: object, change: Callable[[Tensor], Tensor]) -> object:
    """Copy lists, tuples and dicts of tensors, with every tensor changed; all else stays."""
    if isinstance(value, Tensor):
        return change(value)
    if is_dataclass(value) and not isinstance(value, type):
        named = {each.name: getattr(value, each.name) for each in fields(value)}
        return type(value)(**{name: map_tensors(each, change) for name, each in named.items()})
    if isinstance(value, dict):
        return {key: map_tensors(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        each: list[Any] = [map_tensors(item, change) for item in value]
        return type(value)(*each) if hasattr(value, "_fields") else type(value)(each)
    return value


def list_tensors(value: object) -> list[Tensor]:
    """List the tensors in lists, tuples and dicts."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(value, keep)
    return found
