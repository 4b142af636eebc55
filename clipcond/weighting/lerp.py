"""Weights as distance from the encoded empty prompt: ComfyUI's rule."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clipcond.chunking import TokenChunk, empty_chunk
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.base import TowerOutput
from clipcond.weighting.rule import Encode, RuleWithNeeds, is_weighted, weights_of

__all__ = ["from_empty", "lerp"]


def from_empty(hidden: Tensor, weights: Tensor, empty: Tensor) -> Tensor:
    """Move hidden states along the line from the empty prompt's, row by row.

    h' = e + w * (h - e), in float32, cast back. Rows of weight 1 stay bit-identical.

    Args:
        hidden: [n L D].
        weights: [n L 1], dimensionless.
        empty: hidden states of the empty chunk, [1 L D].
    """
    start = empty.float()
    after = (hidden.float() - start) * weights + start
    return torch.where(weights == 1.0, hidden, after.to(hidden.dtype))


def _apply(chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
    """Move each token's hidden state along the line from the encoded empty prompt.

    h' = e + w * (h - e), e = the same row of the empty chunk, in float32, cast back. Rows of weight
    1 stay bit-identical; w = 0 gives e.

    Args:
        chunks: the n chunks of one prompt; weights are dimensionless, 1.0 = unweighted.
        encode: chunks -> hidden [n L D]; also asked for the empty chunk, if anything is weighted.
    Returns:
        hidden [n L D] in the tower's dtype; pooled [n P] untouched.
    Source: ComfyUI 0.3.64, comfy/sd1_clip.py: its results, tests/parity/test_comfyui_tensors.py.
    """
    output = encode(chunks)
    if not any(map(is_weighted, chunks)):
        return output
    empty = encode([empty_chunk(encode.special)]).hidden
    weights = weights_of(chunks, output.hidden.device)
    return TowerOutput(from_empty(output.hidden, weights, empty), output.pooled)


def _needs(chunks: Sequence[TokenChunk], special: SpecialTokens) -> Sequence[TokenChunk]:
    return [empty_chunk(special)] if any(map(is_weighted, chunks)) else []


lerp = RuleWithNeeds(_apply, _needs)
