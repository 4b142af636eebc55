"""What the UNet reads, in batches on the device: the tower's states with weights, as clipcond's.

A test compares with `clipcond.Conditioner`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def hidden_states(tower: nn.Module, ids: Tensor, clip_skip: Tensor) -> Tensor:
    """States of chunks [m L], each at its clip skip [m] of 1 or 2, normed: [m L D]."""
    states = tower(ids.long(), output_hidden_states=True).hidden_states
    both = torch.where((clip_skip == 1)[:, None, None], states[-1], states[-2])
    norm = next(m for name, m in tower.named_modules() if name.endswith("final_layer_norm"))
    return norm(both)


def weigh(states: Tensor, weights: Tensor) -> Tensor:
    """Multiply states [m L D] by weights [m L], and restore each chunk's mean, as `scale_mean`."""
    states = states.float()
    weighted = states * weights.float()[..., None]
    restored = weighted * (states.mean((1, 2)) / weighted.mean((1, 2)))[:, None, None]
    return torch.where((weights != 1).any(1)[:, None, None], restored, states)


@torch.no_grad()
def embeds(tower: nn.Module, ids: Tensor, weights: Tensor, clip_skip: Tensor) -> Tensor:
    """Embeds of prompts.

    Args:
        ids, weights: [n K L].
        clip_skip: [n], 1 or 2.
    Returns:
        float32 [n K*L D].
    """
    n, k, length = ids.shape
    states = hidden_states(tower, ids.flatten(0, 1), clip_skip.repeat_interleave(k))
    return weigh(states, weights.flatten(0, 1)).view(n, k * length, -1)
