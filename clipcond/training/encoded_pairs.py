"""Encoded pairs: kept on disk up to a bound, drawn in batches of one number of chunks.

Towers are frozen, so each pair is encoded once. What is beyond the bound is encoded whenever it is
drawn. Which pairs those are, and which pairs share a tower call, follows from pairs and settings
alone, so a resumed run reads the very bits that an uninterrupted one reads.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipcond.errors import TrainingError
from clipcond.training.pair_encoding import Encoded, Side
from clipcond.training.pairs import Pair
from clipcond.training.run_folder import Kept, make_folder

__all__ = ["Batch", "Group", "States"]

BLOCK = 64  # pairs in a tower call
GB = 10**9
Field = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Batch:
    """b pairs of one number of chunks, encoded, on the device.

    Args:
        teacher: [b S D], float32.
        pooled: [b P] of the teacher, or None.
        hidden: [b*c L D_tower] of the tower, its c chunks one below the other.
        mask: [b*c L], or None.
        rows: which pair each is; -1 = the empty prompt.
        n_chunks: c.
    """

    teacher: Tensor
    pooled: Tensor | None
    hidden: Tensor
    mask: Tensor | None
    rows: tuple[int, ...]
    n_chunks: int


@dataclass(frozen=True, slots=True)
class Group:
    """The pairs, by their place, that take `size` chunks of (teacher, tower)."""

    size: tuple[int, int]
    members: tuple[int, ...]


class States:
    """Both sides' states of all pairs.

    Args:
        sizes: chunks of each pair, (teacher, tower).
        folder: where to keep states; what lies there is taken as it is, if it is of these `keys`.
        max_bytes: of states kept.
        keys: what the states depend on, as plain JSON values.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        sizes: Sequence[tuple[int, int]],
        teacher: Side,
        tower: Side,
        *,
        folder: Path,
        max_bytes: float,
        keys: dict[str, Any],
    ) -> None:
        self.pairs, self.teacher, self.tower = pairs, teacher, tower
        found: dict[tuple[int, int], list[int]] = {}
        for i, size in enumerate(sizes):
            found.setdefault(size, []).append(i)
        self.groups = [Group(size, tuple(found[size])) for size in sorted(found)]
        self._folder = folder
        self._keys = {**keys, "max_bytes": max_bytes}
        self._left = max_bytes
        self._stores: dict[tuple[int, int], _Store] = {}
        self._empties: dict[tuple[int, int], tuple[Encoded, Encoded]] = {}

    def prepare(self, advance: Callable[[int], None], *, writes: bool = True) -> None:
        """Encode what is kept; a process that does not write reads what another has written.

        Args:
            advance: called with the number of pairs done.
        Raises:
            TrainingError: the states cannot be kept in float16, or not written.
        """
        make_folder(self._folder)
        for group in self.groups:
            fields = _fields(*self._encode(group.members[:1], group.size))
            n_bytes = sum(2 * int(np.prod(shape)) for _, shape in fields)
            n_kept = int(min(len(group.members), self._left / n_bytes))  # the bound may be infinite
            self._left -= n_kept * n_bytes
            stem, keys = "{}-{}".format(*group.size), {**self._keys, "fields": fields}
            store = _Store(Kept(self._folder, stem, n_kept, keys), fields)
            if n_kept and not store.kept.is_whole:
                if not writes:
                    raise TrainingError(f"the states in {str(self._folder)!r} are not there")
                self._fill(store, group, advance)
            else:
                advance(n_kept)
            if n_kept:
                store.open()
            self._stores[group.size] = store

    def _fill(self, store: _Store, group: Group, advance: Callable[[int], None]) -> None:
        n_kept = store.kept.n
        with store.kept.written() as add:
            for start in range(0, n_kept, BLOCK):
                some = group.members[start : min(start + BLOCK, n_kept)]
                for name, tensor in _named(*self._encode(some, group.size)).items():
                    values = tensor.to("cpu", torch.float16)
                    if not bool(values.isfinite().all()):
                        lines = [self.pairs[i].line for i in some]
                        raise TrainingError(
                            f"the {name} states of lines {lines[0]} to {lines[-1]} are beyond "
                            "float16"
                        )
                    add(name, values)
                advance(len(some))

    def draw(self, rng: random.Random, n: int, drop: float, device: torch.device) -> Batch:
        """`n` pairs of one group, each at one of the layers; some of them the empty prompt."""
        (group,) = rng.choices(self.groups, weights=[len(g.members) for g in self.groups])
        places = [rng.randrange(len(group.members)) for _ in range(n)]
        layers = [rng.randrange(len(self.tower.clip_skips)) for _ in range(n)]
        dropped = [rng.random() < drop for _ in range(n)]
        return self.batch(group, places, layers, dropped, device)

    def batch(
        self,
        group: Group,
        places: Sequence[int],
        layers: Sequence[int],
        dropped: Sequence[bool],
        device: torch.device,
    ) -> Batch:
        """The pairs at these places of a group, at these layers; dropped ones empty."""
        read = self._read(group, places)
        empty = _named(*self._empty(group.size))
        at = torch.as_tensor(layers)
        picked: dict[str, Tensor] = {}
        for name, tensor in read.items():
            is_layered = name in ("teacher", "tower")
            values = tensor[torch.arange(len(places)), at] if is_layered else tensor
            for i, gone in enumerate(dropped):
                if gone:
                    values[i] = empty[name][0, layers[i]] if is_layered else empty[name][0]
            picked[name] = values.to(device).float()
        n_chunks = group.size[1]
        mask = picked.get("mask")
        return Batch(
            picked["teacher"],
            picked.get("pooled"),
            picked["tower"].unflatten(1, (n_chunks, -1)).flatten(0, 1),
            None if mask is None else mask.unflatten(1, (n_chunks, -1)).flatten(0, 1),
            tuple(
                -1 if gone else group.members[p] for p, gone in zip(places, dropped, strict=True)
            ),
            n_chunks,
        )

    def _read(self, group: Group, places: Sequence[int]) -> dict[str, Tensor]:
        """float16 [n ...] by name, copies; what is not kept is encoded in one call."""
        store = self._stores[group.size]
        n_kept = store.kept.n
        away = [i for i, place in enumerate(places) if place >= n_kept]
        read = {
            name: torch.empty(len(places), *shape, dtype=torch.float16)
            for name, shape in store.fields
        }
        if away:
            encoded = self._encode([group.members[places[i]] for i in away], group.size)
            for name, tensor in _named(*encoded).items():
                read[name][away] = tensor.to("cpu", torch.float16)
        kept = [i for i, place in enumerate(places) if place < n_kept]
        if kept:
            for name, array in store.arrays.items():
                read[name][kept] = torch.from_numpy(array[[places[i] for i in kept]])
        return read

    def _encode(self, members: Sequence[int], size: tuple[int, int]) -> tuple[Encoded, Encoded]:
        some = [self.pairs[i] for i in members]
        return (
            self.teacher.encode([pair.teacher for pair in some], size[0]),
            self.tower.encode([pair.tower for pair in some], size[1]),
        )

    def _empty(self, size: tuple[int, int]) -> tuple[Encoded, Encoded]:
        if size not in self._empties:
            both = self.teacher.encode([""], size[0]), self.tower.encode([""], size[1])
            self._empties[size] = both
        return self._empties[size]


def _named(teacher: Encoded, tower: Encoded) -> dict[str, Tensor]:
    found = {"teacher": teacher.embeds, "tower": tower.embeds}
    found |= {} if teacher.pooled is None else {"pooled": teacher.pooled}
    return found | ({} if tower.mask is None else {"mask": tower.mask})


def _fields(teacher: Encoded, tower: Encoded) -> list[Field]:
    return [(name, tuple(t.shape[1:])) for name, t in _named(teacher, tower).items()]


class _Store:
    """What is kept of one group's states."""

    def __init__(self, kept: Kept, fields: Sequence[Field]) -> None:
        self.kept, self.fields = kept, fields
        self.arrays: dict[str, np.ndarray] = {}

    def open(self) -> None:
        self.arrays = {name: self.kept.read(name) for name, _ in self.fields}
