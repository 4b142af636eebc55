"""How weights are brought to a common level before they act: the second axis beside the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from clipcond.chunking import TokenChunk

__all__ = ["half", "none"]


def none(chunks: Sequence[TokenChunk]) -> Sequence[TokenChunk]:
    """Take weights as they were written."""
    return chunks


def half(chunks: Sequence[TokenChunk]) -> Sequence[TokenChunk]:
    """Round weights to the nearest that float16 has: 1.3 becomes 1.2998046875.

    A weight beyond 65504 becomes infinite, and the result will be refused.

    Source: sd_embed 4a47f71 and diffusers 58eb52c, examples/community/lpw_stable_diffusion_xl.py,
        which keep weights in float16.
    """
    return tuple(
        replace(chunk, weights=tuple(torch.tensor(chunk.weights, dtype=torch.float16).tolist()))
        for chunk in chunks
    )
