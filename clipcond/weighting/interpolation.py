"""Apply weights on the line from the encoded empty prompt: ComfyUI's rule."""

from __future__ import annotations

from collections.abc import Sequence

from clipcond.chunking import TokenChunk
from clipcond.towers.base import TowerOutput
from clipcond.weighting.rule import Encode, RuleWithNeeds, empty_if_weighted, lerp_from_empty

__all__ = ["lerp"]


def _apply(chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
    """Move each token's hidden state along the line from the encoded empty prompt.

    h' = e + w * (h - e), e = the same row of the empty chunk, in float32, cast back. Rows of weight
    1 stay bit-identical; w = 0 gives e.

    Args:
        chunks: the n chunks of one prompt; weights are dimensionless, 1.0 = unweighted.
        encode: chunks -> hidden [n L D]; also asked for the empty chunk, if anything is weighted.
    Returns:
        hidden [n L D] in the tower's dtype; pooled [n P] untouched.
    Source: ComfyUI 0.3.64, comfy/sd1_clip.py (results; tests/parity/test_comfyui_tensors.py).
    """
    return lerp_from_empty(chunks, encode)


lerp = RuleWithNeeds(_apply, empty_if_weighted)
