"""Encoded pairs: kept on disk up to a bound, drawn in batches of one number of chunks.

Towers are frozen, so each pair is encoded once. What is beyond the bound is encoded whenever it is
drawn. Which pairs those are, and which pairs share a tower call, follows from pairs and settings
alone, so a resumed run reads the very bits that an uninterrupted one reads.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipcond.errors import TrainingError
from clipcond.pipelines.align.pairs import Pair
from clipcond.pipelines.align.sides import Encoded, Side

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
        self._folder.mkdir(parents=True, exist_ok=True)
        for group in self.groups:
            fields = _fields(*self._encode(group.members[:1], group.size))
            n_bytes = sum(2 * int(np.prod(shape)) for _, shape in fields)
            n_kept = min(len(group.members), int(self._left // n_bytes))
            self._left -= n_kept * n_bytes
            store = _Store(self._folder, group.size, n_kept, fields, self._keys)
            if n_kept and not store.is_ready():
                if not writes:
                    raise TrainingError(f"the states in {str(self._folder)!r} are not there")
                self._fill(store, group, advance)
            else:
                advance(n_kept)
            if n_kept:
                store.open()
            self._stores[group.size] = store

    def _fill(self, store: _Store, group: Group, advance: Callable[[int], None]) -> None:
        arrays = store.create()
        for start in range(0, store.n_kept, BLOCK):
            some = group.members[start : min(start + BLOCK, store.n_kept)]
            for name, tensor in _named(*self._encode(some, group.size)).items():
                values = tensor.detach().to("cpu", torch.float16)
                if not bool(values.isfinite().all()):
                    lines = [self.pairs[i].line for i in some]
                    raise TrainingError(
                        f"the {name} states of lines {lines[0]} to {lines[-1]} are beyond float16"
                    )
                arrays[name][start : start + len(some)] = values.numpy()
            advance(len(some))
        store.seal(arrays)

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
        away = [i for i, place in enumerate(places) if place >= store.n_kept]
        read = {
            name: torch.empty(len(places), *shape, dtype=torch.float16)
            for name, shape in store.fields
        }
        if away:
            encoded = self._encode([group.members[places[i]] for i in away], group.size)
            for name, tensor in _named(*encoded).items():
                read[name][away] = tensor.to("cpu", torch.float16)
        kept = [i for i, place in enumerate(places) if place < store.n_kept]
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
    """Memory-mapped float16 arrays of one group, and a file that says they are complete."""

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int],
        n_kept: int,
        fields: Sequence[Field],
        keys: dict[str, Any],
    ) -> None:
        self.n_kept, self.fields = n_kept, fields
        self.arrays: dict[str, np.ndarray] = {}
        self._folder, self._stem = folder, f"{size[0]}-{size[1]}"
        self._seal = folder / f"{self._stem}.json"
        self._keys = json.dumps({**keys, "n": n_kept, "fields": fields}, sort_keys=True)

    def is_ready(self) -> bool:
        return self._seal.is_file() and self._seal.read_text(encoding="utf-8") == self._keys

    def open(self) -> None:
        self.arrays = {name: np.load(self._path(name), mmap_mode="r") for name, _ in self.fields}

    def create(self) -> dict[str, np.ndarray]:
        self._seal.unlink(missing_ok=True)
        return {
            name: np.lib.format.open_memmap(self._path(name), "w+", np.float16, (self.n_kept, *s))
            for name, s in self.fields
        }

    def seal(self, arrays: dict[str, np.ndarray]) -> None:
        for array in arrays.values():
            array.flush()  # type: ignore[attr-defined]
        part = self._seal.with_suffix(".part")
        part.write_text(self._keys, encoding="utf-8")
        os.replace(part, self._seal)

    def _path(self, name: str) -> Path:
        return self._folder / f"{self._stem}-{name}.npy"
