"""Make one conditioning of several prompts: one after the other, or a weighted sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clipcond.chunking import TokenChunk
from clipcond.prompt.segments import Mixture
from clipcond.weighting.rule import lerp_from

if TYPE_CHECKING:
    from torch import Tensor

Mask = tuple[int, ...]


def mixed_length(mixture: Mixture, sizes: Sequence[int]) -> int:
    """Count the chunks of a mixture whose prompts have so many: all of them, or the most."""
    return sum(sizes) if mixture.mode == "join" else max(sizes)


def mix(mixture: Mixture, prompts: Sequence[Tensor], empty: Tensor) -> Tensor:
    """Make one prompt of several, each with its rule applied.

    join: each prompt's e + w * (c - e), one after the other, e = the empty chunk;
    mean: sum(w * c) / sum(w), shorter prompts filled up with e;  sum: sum(w * c).

    In float32, cast back. Weights of 1 leave a joined prompt bit-identical.

    Args:
        mixture: the weights, one for each prompt, and the mode.
        prompts: hidden states of each prompt, [n_i L D].
        empty: hidden states of the empty chunk, [1 L D].
    Returns:
        hidden [n L D] in the dtype of `empty`, n as `mixed_length` gives it.
    """
    import torch  # what plans a mixture needs none

    if mixture.mode == "join":
        factors = empty.float().new_tensor(mixture.weights).view(-1, 1, 1, 1)
        pairs = zip(prompts, factors, strict=True)
        return torch.cat([lerp_from(empty, hidden, factor) for hidden, factor in pairs])
    n_chunks = max(map(len, prompts))
    filled = [torch.cat([hidden, *[empty] * (n_chunks - len(hidden))]) for hidden in prompts]
    total = torch.zeros_like(filled[0], dtype=torch.float32)
    for hidden, weight in zip(filled, mixture.weights, strict=True):
        total += weight * hidden.float()
    if mixture.mode == "mean":
        total /= sum(mixture.weights)
    return total.to(empty.dtype)


def mix_masks(mixture: Mixture, prompts: Sequence[Sequence[TokenChunk]]) -> list[Mask]:
    """Make the attention masks of a mixture: a position counts if it does in any prompt."""
    if mixture.mode == "join":
        return [chunk.attention_mask for chunks in prompts for chunk in chunks]
    n_chunks = max(map(len, prompts))
    alike = [[p[i].attention_mask for p in prompts if i < len(p)] for i in range(n_chunks)]
    return [tuple(map(max, zip(*masks, strict=True))) for masks in alike]
