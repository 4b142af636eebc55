"""Several prompts as one conditioning: joined, or a sum of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from clipcond.chunking import TokenChunk, empty_chunk
from clipcond.prompt.segments import Mixture
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.base import TowerOutput
from clipcond.weighting.lerp import from_empty
from clipcond.weighting.rule import Encode, Rule, RuleWithNeeds, needs_of

__all__ = ["Mixed"]


@dataclass(frozen=True, slots=True)
class Mixed:
    """How the chunks of a mixture, those of its prompts one after the other, become one whole.

    Args:
        mixture: its weights and its mode.
        sizes: how many chunks each of its prompts has.
    """

    mixture: Mixture
    sizes: tuple[int, ...]

    @property
    def n_chunks(self) -> int:
        """How many chunks the whole has; in a sum, the shorter prompts are filled up."""
        return sum(self.sizes) if self.mixture.mode == "join" else max(self.sizes)

    def over(self, rule: Rule) -> RuleWithNeeds:
        """The rule that applies `rule` to each prompt, then makes one of them.

        join: each prompt's e + w * (c - e), one after the other, e = the empty chunk;
        mean: sum(w * c) / sum(w), shorter prompts filled up with e;  sum: sum(w * c).

        In float32, cast back. Weights of 1 leave a joined prompt bit-identical. No pooled output.
        """
        return RuleWithNeeds(partial(self._apply, rule), partial(self._needs, rule))

    def masks(self, chunks: Sequence[TokenChunk]) -> list[tuple[int, ...]]:
        """The attention masks of the whole: a position counts if it does in any prompt."""
        if self.mixture.mode == "join":
            return [chunk.attention_mask for chunk in chunks]
        members = [m for m in self._members(chunks) if len(m)]
        alike = [[m[i].attention_mask for m in members if i < len(m)] for i in range(self.n_chunks)]
        return [tuple(map(max, zip(*masks, strict=True))) for masks in alike]

    def _members(self, chunks: Sequence[TokenChunk]) -> list[Sequence[TokenChunk]]:
        borders = accumulate(self.sizes, initial=0)
        return [chunks[start:stop] for start, stop in pairwise(borders)]

    def _needs(
        self, rule: Rule, chunks: Sequence[TokenChunk], special: SpecialTokens
    ) -> Sequence[TokenChunk]:
        inner = [c for member in self._members(chunks) for c in needs_of(rule, member, special)]
        return [*inner, empty_chunk(special)]

    def _apply(self, rule: Rule, chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
        hidden = [rule(member, encode).hidden for member in self._members(chunks)]
        empty = encode([empty_chunk(encode.special)]).hidden
        weights = self.mixture.weights
        if self.mixture.mode == "join":
            factors = torch.tensor(weights, device=empty.device).view(-1, 1, 1, 1)
            pairs = zip(hidden, factors, strict=True)
            return TowerOutput(torch.cat([from_empty(h, factor, empty) for h, factor in pairs]))
        total = torch.zeros_like(self._filled(hidden[0], empty), dtype=torch.float32)
        for prompt, weight in zip(hidden, weights, strict=True):
            total += weight * self._filled(prompt, empty).float()
        if self.mixture.mode == "mean":
            total /= sum(weights)
        return TowerOutput(total.to(empty.dtype))

    def _filled(self, hidden: Tensor, empty: Tensor) -> Tensor:
        """Hidden states [n L D] with the empty chunk's behind them."""
        return torch.cat([hidden, *[empty] * (self.n_chunks - len(hidden))])
