"""Make conditionings of plans: apply the rule, join the towers' parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from math import isfinite
from typing import TypeAlias

import torch
from torch import Tensor

from clipcond.conditioning.cache import ChunkEncoder, ChunkKey, key_of
from clipcond.conditioning.checks import not_finite, pooled_not_finite
from clipcond.conditioning.plan import Plan
from clipcond.conditioning.token_rows import Planned
from clipcond.prompt import Issue
from clipcond.weighting import Rule

# How many positions of chunks are wanted; those that are not in it, whole.
Lengths: TypeAlias = Mapping[ChunkKey, int]

STEP = 16  # positions


@dataclass(frozen=True, slots=True)
class Conditioning:
    """What a diffusion model is conditioned on, for a batch of b prompts.

    Args:
        embeds: [b S D].
        pooled: [b P], or None.
        attention_mask: [b S], or None: all positions count.
        issues: what in the prompts is hardly meant or not done as written, each with its prompt.
    """

    embeds: Tensor
    pooled: Tensor | None = None
    attention_mask: Tensor | None = None
    issues: tuple[Issue, ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        """Show shapes, dtype and device: a tensor's values fill pages."""
        shown = [f"embeds={_shown(self.embeds)}"]
        for name in ("pooled", "attention_mask"):
            tensor = getattr(self, name)
            shown += [] if tensor is None else [f"{name}={_shown(tensor)}"]
        shown += [f"issues={len(self.issues)}"] if self.issues else []
        return f"Conditioning({', '.join(shown)})"

    def split(self) -> list[Conditioning]:
        """Split a batch into the conditionings of its b prompts, each with all issues."""
        pooled, mask = self.pooled, self.attention_mask
        return [
            Conditioning(
                self.embeds[i : i + 1],
                None if pooled is None else pooled[i : i + 1],
                None if mask is None else mask[i : i + 1],
                self.issues,
            )
            for i in range(len(self.embeds))
        ]


@dataclass(frozen=True, slots=True)
class Guided:
    """Two conditionings of equal shape, for classifier-free guidance."""

    positive: Conditioning
    negative: Conditioning

    @property
    def issues(self) -> tuple[Issue, ...]:
        """The issues of prompts and negatives, each once."""
        return tuple(dict.fromkeys(self.positive.issues + self.negative.issues))


@dataclass(frozen=True, slots=True)
class Encoded:
    """What prompts that share a length came to.

    Args:
        columns: the conditioning of all prompts, and that of their negatives if any.
        planned: their plans.
        kept: the rows that the dialect hands on; None = all.
    """

    columns: list[Conditioning]
    planned: Planned
    kept: Sequence[int] | None


def weigh(plans: Sequence[Plan], rule: Rule, encode: ChunkEncoder, name: str) -> list[Conditioning]:
    """Encode one tower's plans, together as far as one tower call goes; apply the rule to each.

    Args:
        name: the tower's, for messages.
    Returns:
        of each plan, embeds [1 S D_tower]; pooled [1 P] if it wants it; attention_mask [1 S] if the
        tower masks its padding.
    Raises:
        WeightingError: the weights lead to NaN or infinite values.
        TowerError: the tower itself gives such values, pooled vectors included.
    """
    parts: list[Conditioning] = []
    needed = [plan.needs(rule) for plan in plans]
    for i, plan in enumerate(plans):
        if not plan.is_streamed(rule, encode.n_at_once):
            encode.prefetch(needed[i], later=islice(needed, i + 1, None))
        embeds, mask = plan.weigh(rule, encode).unsqueeze(0), None
        if encode.special.mask_padding:
            mask = torch.tensor([plan.mask()], device=embeds.device)
        pooled = None if plan.pooled is None else encode([plan.pooled]).pooled
        parts.append(Conditioning(embeds, pooled, mask))
    if not _all_finite([part.embeds for part in parts]):
        raise not_finite([part.embeds for part in parts], plans, repr(name), encode)
    if not _all_finite([part.pooled for part in parts if part.pooled is not None]):
        raise pooled_not_finite([part.pooled for part in parts], plans, repr(name))
    return parts


def wanted_lengths(plans: Sequence[Plan], rule: Rule, rows: Sequence[int]) -> dict[ChunkKey, int]:
    """Count the positions of one tower's chunks up to the last that is handed on.

    Of a chunk that several plans have, the most. Rounded up to whole steps, because attention gives
    the same bits at those lengths.

    Args:
        rows: those that are handed on of every plan, ascending.
    Returns:
        the number for chunks by `key_of`; {} if all of them are needed whole.
    """
    special, tower = plans[0].cutter.special, plans[0].cutter.tower
    can_end = getattr(tower, "causal", False) and getattr(rule, "rowwise", False)
    is_mixed = any(plan.parsed.mixture is not None for plan in plans)
    if not can_end or is_mixed or special.eos_last or special.mask_padding:
        return {}
    length, found = special.context_length, dict[ChunkKey, int]()
    last = {row // length: row % length + 1 for row in rows}
    for plan in plans:
        for i, chunk in enumerate([*plan.chunks * plan.n_times, *plan.empty]):
            n = max(last.get(i, 0), chunk.places.stop + 1)  # with the eos, which rules may need
            key, n = key_of(chunk), min(length, -(-n // STEP) * STEP)
            found[key] = max(n, found.get(key, 0))
    return found


def lengths_in(
    groups: Sequence[Planned], kept: Sequence[Sequence[int] | None], tower: int, rule: Rule
) -> dict[ChunkKey, int]:
    """Count the positions of one tower's chunks up to the last that any group hands on.

    Returns:
        as of `wanted_lengths`.
    """
    longest: dict[ChunkKey, int] = {}
    for planned, rows in zip(groups, kept, strict=True):
        plans = list(dict.fromkeys(each[tower] for row in planned for each in row))
        wanted = {} if rows is None else wanted_lengths(plans, rule, rows)
        if not wanted:
            return {}
        for key, n in wanted.items():
            longest[key] = max(n, longest.get(key, 0))
    return longest


def batched(parts: Sequence[Conditioning]) -> Conditioning:
    """Join conditionings of one tower along the batch."""
    embeds = joined([part.embeds for part in parts])
    pooled = _cat([part.pooled for part in parts])
    mask = _cat([part.attention_mask for part in parts])
    return Conditioning(embeds, pooled, mask)


def join(
    prompts: Sequence[tuple[Plan, ...]],
    parts: Mapping[Plan, Conditioning],
    rows: Sequence[int] | None = None,
) -> Conditioning:
    """Join the parts of several prompts: towers along the width, prompts along the batch.

    Args:
        prompts: for each prompt, its plans, one a tower.
        parts: what each plan gave: embeds [1 S D_tower], pooled [1 P], attention_mask [1 S].
        rows: which of the S rows to keep; None = all.
    Returns:
        embeds [b S D], D the sum over towers; pooled [b P], P the sum over the towers whose pooled
        vectors are wanted; attention_mask [b S] the union of the towers' masks, None if any tower
        attends everywhere.
    """
    embeds = joined([joined([parts[p].embeds for p in ps], dim=-1) for ps in prompts])
    pooled = _cat([_cat([parts[p].pooled for p in ps], dim=-1) for ps in prompts])
    mask = _cat([_union([parts[p].attention_mask for p in ps]) for ps in prompts])
    if rows is not None:
        embeds = embeds[:, list(rows)]
        mask = None if mask is None else mask[:, list(rows)]
    return Conditioning(embeds, pooled, mask)


def apart(made: Sequence[Conditioning]) -> list[Conditioning]:
    """Give conditionings of equal prompts tensors of their own: a caller may write into them."""
    seen: set[int] = set()

    def own(tensor: Tensor) -> Tensor:
        is_shared = id(tensor) in seen
        seen.add(id(tensor))
        return tensor.clone() if is_shared else tensor

    def given(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else own(tensor)

    return [
        Conditioning(own(c.embeds), given(c.pooled), given(c.attention_mask), c.issues)
        for c in made
    ]


def with_zeros(conditioning: Conditioning, rows: Sequence[bool]) -> Conditioning:
    """Put zeros into these rows of a conditioning; the others stay as they are."""
    if all(rows):
        return zeros_like(conditioning)
    if not any(rows):
        return conditioning
    embeds, pooled = conditioning.embeds.clone(), conditioning.pooled
    embeds[list(rows)] = 0
    if pooled is not None:
        pooled = pooled.clone()
        pooled[list(rows)] = 0
    return replace(conditioning, embeds=embeds, pooled=pooled)


def zeros_like(conditioning: Conditioning) -> Conditioning:
    """Make a conditioning of zeros: the negative of a pair of towers, in some dialects."""
    pooled = conditioning.pooled
    return Conditioning(
        torch.zeros_like(conditioning.embeds),
        None if pooled is None else torch.zeros_like(pooled),
        conditioning.attention_mask,
        conditioning.issues,
    )


def joined(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors; one alone is not copied, unless it is a part of a larger one's memory."""
    if len(tensors) > 1:
        return torch.cat(list(tensors), dim=dim)
    (tensor,) = tensors
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


def _all_finite(tensors: Sequence[Tensor]) -> bool:
    sums = [tensor.sum() for tensor in tensors]  # of values that are all finite it may overflow
    if not sums or all(map(isfinite, torch.stack(sums).tolist())):
        return True
    edges = [edge for tensor in tensors for edge in torch.aminmax(tensor)]  # NaN is both edges
    return bool(torch.stack(edges).isfinite().all())


def _shown(tensor: Tensor) -> str:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return f"[{' '.join(map(str, tensor.shape))}] {dtype} on {tensor.device}"


def _cat(parts: Sequence[Tensor | None], dim: int = 0) -> Tensor | None:
    given = [part for part in parts if part is not None]
    return torch.cat(given, dim=dim) if given else None


def _union(masks: Sequence[Tensor | None]) -> Tensor | None:
    given = [mask for mask in masks if mask is not None]
    return torch.stack(given).amax(dim=0) if len(given) == len(masks) else None
