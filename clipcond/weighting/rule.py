"""The protocol of a weighting rule: the chunks of one prompt in, hidden states out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from clipcond.chunking import TokenChunk
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.base import TowerOutput

__all__ = [
    "Encode",
    "Needs",
    "Normalize",
    "Rule",
    "RuleWithNeeds",
    "is_weighted",
    "needs_of",
    "weights_of",
]


class Encode(Protocol):
    """Chunks to hidden states: one tower, one layer, weights ignored.

    Chunks of the call that were announced beforehand, and any seen lately, cost nothing. A chunk
    whose attention_mask has zeros is encoded with those positions hidden. `special` makes further
    chunks possible: `encode([empty_chunk(encode.special)])`.
    """

    @property
    def special(self) -> SpecialTokens: ...

    def __call__(self, chunks: Sequence[TokenChunk]) -> TowerOutput: ...


Rule = Callable[[Sequence[TokenChunk], Encode], TowerOutput]
Needs = Callable[[Sequence[TokenChunk], SpecialTokens], Sequence[TokenChunk]]
Normalize = Callable[[Sequence[TokenChunk]], Sequence[TokenChunk]]


@dataclass(frozen=True, slots=True)
class RuleWithNeeds:
    """A rule that says beforehand which further chunks it will encode.

    Those are then encoded in the same batch as everything else. A plain function does without: what
    it asks for beyond its chunks is encoded when it asks.
    """

    apply: Rule
    needs: Needs

    def __call__(self, chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
        return self.apply(chunks, encode)


def needs_of(
    rule: Rule, chunks: Sequence[TokenChunk], special: SpecialTokens
) -> Sequence[TokenChunk]:
    """What a rule says it will encode besides the chunks of a prompt."""
    return rule.needs(chunks, special) if hasattr(rule, "needs") else ()


def is_weighted(chunk: TokenChunk) -> bool:
    """Whether any weight differs from 1."""
    return any(weight != 1.0 for weight in chunk.weights)


def weights_of(chunks: Sequence[TokenChunk], device: torch.device) -> Tensor:
    """Weights [n L 1] in float32, ready to multiply hidden states [n L D]."""
    rows = [chunk.weights for chunk in chunks]
    return torch.tensor(rows, dtype=torch.float32, device=device).unsqueeze(-1)
