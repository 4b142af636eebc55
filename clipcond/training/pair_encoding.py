"""Encode both texts of pairs, adapter inputs and targets, and keep them on disk up to a bound.

Towers are frozen, so each pair is encoded once. Pairs beyond the bound are encoded whenever they
are drawn. Which pairs those are, and which share a tower call, follows from pairs and settings
alone, so a resumed run reads the very bits that an uninterrupted one reads.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.errors import PromptError, TrainingError
from clipcond.towers import TowerOutput
from clipcond.training.pairs import BadPair, Pair
from clipcond.training.run_folder import Records

N_AT_ONCE = 64  # pairs in a tower call
GB = 10**9
MAX_WEIGHT = 100  # of emphasis; useful ones are below 2

Draw = tuple[int, int, bool]  # place in a group, place in clip_skips, whether it is left empty


States = tuple[Tensor, Tensor | None, Tensor | None]  # hidden, mask, pooled


class SideEncoder(Protocol):
    """Encodes one side of pairs."""

    @property
    def clip_skips(self) -> tuple[int, ...]:
        """The layers it is encoded at."""

    def count_chunks(self, pair: Pair) -> int:
        """Count the chunks of a pair's side, without running the tower.

        Raises:
            PromptError: it cannot be read, or a weight in it is too large.
        """

    def encode(self, pairs: Sequence[Pair], n_chunks: int) -> States:
        """Encode this side of pairs that take `n_chunks` each, at all K layers.

        Returns:
            embeds [n K S D], mask [n S] or None, pooled [n P] or None.
        """


@dataclass(frozen=True, slots=True)
class PromptEncoder:
    """A Conditioner, and the layers that prompts are encoded at.

    Args:
        length: rows of one chunk.
        text: takes the text of this side from a pair; "" is repeated.
    """

    conditioner: Conditioner
    clip_skips: tuple[int, ...]
    length: int
    text: Callable[[Pair], str]

    def count_chunks(self, pair: Pair) -> int:
        chunks = self.conditioner.chunks(self.text(pair))
        if any(abs(weight) > MAX_WEIGHT for chunk in chunks for weight in chunk.weights):
            raise PromptError(f"a weight in it is beyond {MAX_WEIGHT}")
        return len(chunks)

    def encode(self, pairs: Sequence[Pair], n_chunks: int) -> States:
        prompts = [self.text(pair) for pair in pairs]
        with collect_warnings(shown=False):
            found = [self.conditioner(prompts, clip_skip=k) for k in self.clip_skips]
        self.conditioner.cache.clear()  # encoded pairs are kept elsewhere
        n_times = n_chunks * self.length // found[0].embeds.shape[1]
        mask = found[0].attention_mask
        return (
            torch.stack([each.embeds for each in found], dim=1).repeat(1, 1, n_times, 1),
            None if mask is None else mask.repeat(1, n_times),
            found[0].pooled,
        )


def count_pair_chunks(
    pairs: Iterable[Pair], teacher: SideEncoder, tower: SideEncoder, max_chunks: int
) -> tuple[list[BadPair], dict[Pair, tuple[int, int]]]:
    """Count each pair's chunks, and find pairs whose prompts cannot be read or are too long.

    Returns:
        those pairs, and the numbers of chunks (teacher, tower) of all that can be read.
    """
    bad: list[BadPair] = []
    sizes: dict[Pair, tuple[int, int]] = {}
    for pair in pairs:
        try:
            with collect_warnings(shown=False):
                size = (teacher.count_chunks(pair), tower.count_chunks(pair))
        except PromptError as error:
            bad.append(BadPair(pair.line, f"its prompt cannot be read: {error.message}"))
            continue
        sizes[pair] = size
        if max(size) > max_chunks:
            reason = f"its prompt takes {max(size)} chunks, at most {max_chunks} are trained"
            bad.append(BadPair(pair.line, reason))
    return bad, sizes


@dataclass(frozen=True, slots=True)
class Batch:
    """b encoded pairs of c tower chunks each, float32, on the device.

    Args:
        teacher: the teacher's embeds [b S D].
        pooled: the teacher's pooled vectors [b P], or None.
        hidden: the tower's hidden states [b*c L D_tower].
        mask: their mask [b*c L], or None.
        members: which pair each is; -1 = the empty prompt.
        n_chunks: c.
    """

    teacher: Tensor
    pooled: Tensor | None
    hidden: Tensor
    mask: Tensor | None
    members: tuple[int, ...]
    n_chunks: int

    def join_chunks(self, output: TowerOutput) -> tuple[Tensor, Tensor | None]:
        """Put an adapter's output for each chunk together, as the UNet reads it.

        Returns:
            embeds [b c*length D] and the first chunks' pooled [b P] or None, float32.
        """
        hidden, pooled = output.hidden.float(), output.pooled
        embeds = hidden.reshape(-1, self.n_chunks * hidden.shape[1], hidden.shape[2])
        return embeds, None if pooled is None else pooled.float()[:: self.n_chunks]


@dataclass(slots=True)
class Group:
    """All pairs of `size` chunks (teacher, tower); the first of them are on disk.

    Args:
        members: the pairs' numbers.
        kept: records of the first pairs, with the fields of `EncodedPairs`.
        empty: the record [1] of two empty prompts.
    """

    size: tuple[int, int]
    members: list[int]
    kept: Records
    empty: Records


@dataclass(slots=True)
class EncodedPairs:
    """Pairs encoded by teacher and tower, in groups of equal size, for drawing batches.

    A pair's record has float16 fields: the teacher's embeds `teacher` [K S D] and `pooled` [P], the
    tower's hidden states `tower` [K S D_tower] and their `mask` [S], for K layers.
    """

    pairs: Sequence[Pair]
    teacher: SideEncoder
    tower: SideEncoder
    device: torch.device
    groups: list[Group] = field(default_factory=list)

    def prepare(
        self,
        sizes: Sequence[tuple[int, int]],
        file: Path,
        max_bytes: float,
        store: Callable[..., Records],
        keys: Mapping[str, Any],
    ) -> None:
        """Group the pairs, and encode as many as may be kept on disk.

        Args:
            sizes: numbers of chunks of each pair, (teacher, tower).
            file, keys: as for `load_or_compute`, which `store` is, its keyword arguments given.
            max_bytes: of records kept; may be infinite.
        Raises:
            TrainingError: values are too large for float16, or nothing can be written.
        """
        for size in sorted(set(sizes)):
            members = [i for i, each in enumerate(sizes) if each == size]
            empty = self._encode([Pair("", "", None, 0)], size)
            n_kept = int(min(len(members), max_bytes / empty.nbytes))
            max_bytes -= n_kept * empty.nbytes
            kept = empty[:0]
            if n_kept:
                group_file = file.with_name("{}-{}-{}".format(file.name, *size))
                chosen = [self.pairs[i] for i in members]
                encode = partial(self._encode, chosen, size)
                kept = store(group_file, n_kept, keys, encode, N_AT_ONCE)
            self.groups.append(Group(size, members, kept, empty))

    def _encode(
        self, pairs: Sequence[Pair], size: tuple[int, int], rows: range | None = None
    ) -> Records:
        pairs = pairs if rows is None else pairs[rows.start : rows.stop]
        embeds, _, pooled = self.teacher.encode(pairs, size[0])
        hidden, mask, _ = self.tower.encode(pairs, size[1])
        found = {"teacher": embeds, "tower": hidden, "pooled": pooled, "mask": mask}
        fields = {n: t.to("cpu", torch.float16) for n, t in found.items() if t is not None}
        records = np.empty(len(pairs), [(n, "<f2", tuple(t.shape[1:])) for n, t in fields.items()])
        for name, tensor in fields.items():
            if not tensor.isfinite().all():
                lines = f"lines {pairs[0].line} to {pairs[-1].line}"
                raise TrainingError(f"the {name} states of {lines} are beyond float16")
            records[name] = tensor.numpy()
        return records

    def draw_group(self, rng: random.Random) -> Group:
        """Draw a group, each as often as it has pairs."""
        return rng.choices(self.groups, weights=[len(g.members) for g in self.groups])[0]

    def draw_pairs(
        self, rng: random.Random, places: Sequence[int], n: int, drop: float
    ) -> list[Draw]:
        """Draw `n` of these places of a group, a layer for each, and which to leave empty."""
        chosen = [rng.choice(places) for _ in range(n)]
        layers = [rng.randrange(len(self.tower.clip_skips)) for _ in range(n)]
        empty = [rng.random() < drop for _ in range(n)]
        return list(zip(chosen, layers, empty, strict=True))

    def draw_batch(self, rng: random.Random, n: int, drop: float) -> Batch:
        """Draw a group, and `n` of its pairs as a batch."""
        group = self.draw_group(rng)
        return self.batch(group, self.draw_pairs(rng, range(len(group.members)), n, drop))

    def batch(self, group: Group, draws: Sequence[Draw]) -> Batch:
        """Put drawn pairs of a group together."""
        records = self._read(group, [place for place, _, _ in draws])
        layers = np.array([layer for _, layer, _ in draws])
        is_empty = np.array([empty for _, _, empty in draws])
        records[is_empty] = group.empty
        fields: dict[str, Tensor] = {}
        for name in records.dtype.names or ():
            values = records[name]
            if name in ("teacher", "tower"):
                values = values[np.arange(len(draws)), layers]
            fields[name] = torch.from_numpy(values).to(self.device).float()
        n_chunks, mask, hidden = group.size[1], fields.get("mask"), fields["tower"]
        n = len(draws) * n_chunks
        return Batch(
            fields["teacher"],
            fields.get("pooled"),
            hidden.reshape(n, -1, hidden.shape[-1]),
            None if mask is None else mask.reshape(n, -1),
            tuple(-1 if empty else group.members[place] for place, _, empty in draws),
            n_chunks,
        )

    def _read(self, group: Group, places: Sequence[int]) -> Records:
        """Copy records from disk; encode the others in one call."""
        n_kept = len(group.kept)
        records = np.empty(len(places), group.empty.dtype)
        others = [i for i, place in enumerate(places) if place >= n_kept]
        if others:
            pairs = [self.pairs[group.members[places[i]]] for i in others]
            records[others] = self._encode(pairs, group.size)
        kept = [i for i, place in enumerate(places) if place < n_kept]
        records[kept] = group.kept[[places[i] for i in kept]]
        return records
