"""Conditionings of prompts that are encoded together, each as if it were alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from clipcond.chunking import TokenChunk
from clipcond.conditioning.cache import ChunkKey
from clipcond.conditioning.plan import Plan
from clipcond.conditioning.results import Conditioning, wanted_lengths
from clipcond.weighting import Rule

ChooseRows: TypeAlias = Callable[[Sequence[Sequence[TokenChunk]]], Sequence[int]]
# The plans of some prompts: of each, of the prompt and its negative if any, one a tower.
Planned: TypeAlias = Sequence[Sequence[tuple[Plan, ...]]]


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


@dataclass(frozen=True, slots=True)
class ConditionedAlone:
    """One prompt's conditioning, as long as the prompt alone needs.

    Args:
        conditioning: of a batch of one.
        rows: which of its rows belong to the prompt, bos and eos included, ascending; the others
            are padding.
    """

    conditioning: Conditioning
    rows: tuple[int, ...]


def kept_rows(planned: Planned, choose: ChooseRows) -> Sequence[int]:
    """Choose the rows that a dialect hands on of prompts that share a length."""
    n_towers = range(len(planned[0][0]))
    own = [dict.fromkeys(each[t] for row in planned for each in row) for t in n_towers]
    return choose([plan.chunks for each in own for plan in each])


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


def own_rows(encoded: Encoded) -> tuple[int, ...]:
    """List the rows of one prompt that are not padding: those of any tower's own tokens.

    Of a mixture, and of what an adapter made, all rows are the prompt's own.
    """
    (conditioning,), ((plans,),) = encoded.columns, encoded.planned
    n_rows, mask = conditioning.embeds.shape[1], conditioning.attention_mask
    if mask is not None:
        return tuple(mask[0].nonzero().flatten().tolist())
    n_chunks = len(plans[0].chunks) * plans[0].n_times + plans[0].n_empty
    n_whole = n_chunks * plans[0].cutter.special.context_length
    places = range(n_whole) if encoded.kept is None else encoded.kept
    if len(places) != n_rows or any(plan.parsed.mixture is not None for plan in plans):
        return tuple(range(n_rows))
    own = {place for plan in plans for place in _places(plan)}
    return tuple(row for row, place in enumerate(places) if place in own)


def _places(plan: Plan) -> list[int]:
    """List where a plan's own tokens are, bos and eos included, among the rows of all chunks."""
    special = plan.cutter.special
    length, found = special.context_length, list[int]()
    for i, chunk in enumerate(plan.chunks * plan.n_times):
        stop = chunk.places.stop
        eos = length - 1 if special.eos_last else stop
        found += [*range(i * length, i * length + stop), i * length + eos]
    return found
