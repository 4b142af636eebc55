"""Move between two vectors along the sphere."""

from __future__ import annotations

import torch
from torch import Tensor

from clipcond.errors import ArgumentError

PARALLEL = 1e-6  # sine of an angle below which the way is as good as straight


def slerp(start: Tensor, end: Tensor, amount: float) -> Tensor:
    """Interpolate between vectors along the great circle between their directions.

    Lengths are interpolated evenly. Of embeddings of pictures, which have length 1, it gives a
    picture between the two; of the embeds of two prompts, row by row, a prompt between.

    Args:
        start, end: [... P], of one shape.
        amount: 0 gives `start`, 1 gives `end`.
    Returns:
        [... P], in the dtype of `start`.
    Raises:
        ArgumentError: shapes that differ, or an amount that is no number from 0 to 1.
    Source: Shoemake 1985, "Animating rotation with quaternion curves"; unCLIP (arXiv 2204.06125,
        section 3.2) moves between pictures by it.
    """
    if start.shape != end.shape:
        raise ArgumentError(
            f"slerp needs two tensors of one shape, not {list(start.shape)} and {list(end.shape)}",
            "Of prompts, encode both in one call: they are equally long then.",
        )
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= 1:
        raise ArgumentError(f"amount is a number from 0 to 1, not {amount!r}")
    first, last = start.double(), end.double()
    lengths = [each.norm(dim=-1, keepdim=True) for each in (first, last)]
    ways = [
        each / length.clamp(min=1e-12) for each, length in zip((first, last), lengths, strict=True)
    ]
    cosine = (ways[0] * ways[1]).sum(-1, keepdim=True).clamp(-1, 1)
    angle = cosine.arccos()
    sine = angle.sin()
    shares = [torch.sin((1 - amount) * angle) / sine, torch.sin(amount * angle) / sine]
    # parallel vectors, and opposite ones, between which every way is as long, go straight
    is_straight = (sine < PARALLEL) | (lengths[0] == 0) | (lengths[1] == 0)
    turned = ways[0] * shares[0] + ways[1] * shares[1]
    turned = turned * torch.lerp(lengths[0], lengths[1], amount)
    return torch.where(is_straight, torch.lerp(first, last, amount), turned).to(start.dtype)
