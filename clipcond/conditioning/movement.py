"""Measure what weights do to the rows of a prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clipcond.chunking import TokenChunk, change_weights
from clipcond.conditioning.cache import ChunkEncoder
from clipcond.conditioning.plan import Chunks, Plan
from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.conditioning.results import Conditioning
from clipcond.weighting import Rule

Numbers = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, eq=False, slots=True)
class MeasuredRows:
    """The rows that one tower gives for a prompt, and how far weights move each.

    Args:
        embeds: [S D], weights applied, after an adapter if there is one; on the CPU. None is left
            out, also in dialects that hand on some of them only.
        pooled: [P], or None.
        chunk_length: how many of the S rows a chunk has.
        norms: for each chunk and position, the Euclidean length of the tower's row.
        movements: for each, the distance to the row at weight 1 of all tokens, divided by the
            length of that one.
    """

    embeds: Tensor
    pooled: Tensor | None
    chunk_length: int
    norms: Numbers = ()
    movements: Numbers = ()

    def zeroed(self) -> MeasuredRows:
        """Give what is passed where zeros are."""
        pooled = None if self.pooled is None else torch.zeros_like(self.pooled)
        return MeasuredRows(torch.zeros_like(self.embeds), pooled, self.chunk_length)


def measure_rows(
    plan: Plan, rule: Rule, encode: ChunkEncoder, rows: Tensor, made: Conditioning
) -> MeasuredRows:
    """Measure the rows of a plan; those of a mixture's prompts, before they are mixed.

    Args:
        encode: made them, so all chunks are in its cache.
        rows: of the tower, weights applied, [S D_tower].
        made: what became of them: embeds [1 S D], pooled [1 P] or None.
    """
    numbers: list[tuple[tuple[float, ...], tuple[float, ...]]] = []
    with collect_warnings(shown=False):  # the rule has warned already
        for chunks, weighted in _members(plan, rule, encode, rows):
            plain = change_weights(chunks, lambda weight, segment: 1.0)
            numbers += _measured(weighted, plain, rule, encode)
    numbers = numbers * plan.n_times
    for empty in plan.empty[:1]:
        numbers += [*_measured(encode([empty]).hidden, [empty], rule, encode)] * plan.n_empty
    norms, movements = zip(*numbers, strict=True)
    embeds, pooled = made.embeds[0].cpu(), None if made.pooled is None else made.pooled[0].cpu()
    length = len(embeds) * encode.special.context_length // len(rows)
    return MeasuredRows(embeds, pooled, length, norms, movements)


def _members(
    plan: Plan, rule: Rule, encode: ChunkEncoder, rows: Tensor
) -> Iterator[tuple[Chunks, Tensor]]:
    """Yield the chunks of each prompt of a plan, and their weighted states [n L D]."""
    if plan.parsed.mixture is None:
        n, length = len(plan.chunks), encode.special.context_length
        yield plan.chunks, rows[: n * length].view(n, length, -1)
        return
    for chunks in plan.members:
        yield chunks, rule(chunks, encode).hidden


def _measured(
    weighted: Tensor, plain: Sequence[TokenChunk], rule: Rule, encode: ChunkEncoder
) -> Iterator[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Yield norms and movements of each chunk, in float64: squares of float16 overflow.

    Args:
        weighted: [n L D].
        plain: the same n chunks at weight 1; a rule by chunk sees a part of them at a time.
    """
    size = encode.n_at_once if getattr(rule, "chunkwise", False) else len(plain)
    for start in range(0, len(plain), size):
        after = weighted[start : start + size].cpu().double()
        before = rule(plain[start : start + size], encode).hidden.cpu().double()
        lengths, distances = before.norm(dim=-1), (after - before).norm(dim=-1)
        moved = torch.where(distances == 0, 0.0, distances / lengths)
        for norm, move in zip(after.norm(dim=-1).tolist(), moved.tolist(), strict=True):
            yield tuple(norm), tuple(move)
