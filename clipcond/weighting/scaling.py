"""Multiply hidden states by weights, with or without restoring the mean: A1111's rules.

Arguments and results are those of `Rule`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from clipcond.chunking import TokenChunk, joined_rows
from clipcond.errors import PromptWarning, warn
from clipcond.towers.base import TowerOutput
from clipcond.weighting.rule import Encode, by_chunk, by_row

# A float32 mean over a chunk carries an error near 1e-7 of the values' magnitude. Below this share
# of the magnitude fewer than three digits of the mean are left, and their quotient is noise.
MEANINGFUL_MEAN = 1e-4

Moments: TypeAlias = tuple[Tensor, Tensor]  # means, and means of magnitudes


@by_row
def unweighted(chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
    """Ignore weights.

    h' = h, bit-identical.

    Args:
        chunks: the n chunks of one prompt.
        encode: chunks -> hidden [n L D].
    Returns:
        What `encode` gives, untouched.
    Source: A1111 1.10.1, emphasis "Ignore".
    """
    return encode(chunks)


@by_row
def scale(chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
    """Multiply each token's hidden state by its weight.

    h' = w * h, in float32, cast back. Chunks whose weights are all 1 stay bit-identical.

    Source: A1111 1.10.1, emphasis "No norm".
    """
    return _scale(chunks, encode)


@by_chunk
def scale_mean(chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
    """Multiply by the weights, then bring each chunk's mean back to what it was.

    y = w * h;  h' = y * mean(h) / mean(y), one mean over a chunk's [L D], specials and padding
    included. In float32, cast back. Chunks whose weights are all 1 stay bit-identical.

    A mean near zero has no meaningful quotient: there the weights act without restoration, with a
    PromptWarning. Where the weights turn the mean's sign, restoring it reverses the whole chunk,
    as the reference does, with a PromptWarning too.

    Source: A1111 1.10.1, emphasis "Original". Deviations: A1111 takes the means over the same chunk
        of every prompt in the batch; here a prompt never depends on its neighbours. A1111 divides
        by a mean near zero, too, which gives noise, NaN or infinity; here, and where the quotient
        overflows, the mean is not restored, with a warning. Where the weights turn the mean's sign,
        it is restored as there, which turns the chunk round, with a warning.
    """
    return _scale(chunks, encode, _moments)


def scale_mean_prompt(chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
    """Multiply by the weights, then bring the whole prompt's mean back to what it was.

    y = w * h;  h' = y * mean(h) / mean(y), one mean over all chunks [n L D], specials and padding
    included. In float32, cast back. Prompts whose weights are all 1 stay bit-identical. Means near
    zero and of another sign are treated as in `scale_mean`.

    Source: diffusers 58eb52c, examples/community/lpw_stable_diffusion.py. Deviation: lpw pads all
        prompts of a batch to the longest, and that padding counts in the means; here only that of
        a prompt and its own negative does. Means near zero are treated as in `scale_mean`.
    """
    return _scale(chunks, encode, _moments_of_all, together=True)


def scale_mean_joined(chunks: Sequence[TokenChunk], encode: Encode) -> TowerOutput:
    """Restore the mean as `scale_mean_prompt`, of all rows but the eos and bos between chunks.

    For a dialect that leaves out those rows, see `dialect.without_inner_frames`.

    Source: diffusers 58eb52c, examples/community/lpw_stable_diffusion.py, no_boseos_middle.
    """
    return _scale(chunks, encode, partial(_moments_of_all, joined=True), together=True)


def _scale(
    chunks: Sequence[TokenChunk],
    encode: Encode,
    measure: Callable[[Tensor], Moments] | None = None,
    *,
    together: bool = False,
) -> TowerOutput:
    """Multiply hidden states by the weights, then restore their mean.

    Works in the states themselves if `encode` gives copies: a prompt may have thousands of chunks.

    Args:
        measure: gives what is restored of the states [m L D]; None = nothing is.
        together: whether all chunks count; otherwise only weighted ones, each by itself.
    """
    output = encode(chunks)
    chosen = [i for i, chunk in enumerate(chunks) if chunk.is_weighted]
    if not chosen:
        return output
    is_ours = getattr(encode, "gives_copies", False)
    times = Tensor.mul_ if is_ours else Tensor.mul
    hidden = output.hidden if is_ours else output.hidden.clone()
    if together:
        chosen = list(range(len(chunks)))
    states = hidden.float() if together else hidden[chosen].float()
    before = None if measure is None else measure(states)
    weights = states.new_tensor([chunks[i].weights for i in chosen]).unsqueeze(-1)
    states = times(states, weights)
    if measure is not None and before is not None:
        states = times(states, _restoring(before, measure(states)))
    if states is not hidden:
        hidden[chosen] = states.to(hidden.dtype)
    return TowerOutput(hidden, output.pooled)


def _moments(states: Tensor) -> Moments:
    """Compute the mean of values, and of their magnitudes, over the last two axes, kept as 1."""
    n_values, axes = states.shape[-2] * states.shape[-1], (-2, -1)
    mean = states.mean(dim=axes, keepdim=True)
    return mean, torch.linalg.vector_norm(states, 1, dim=axes, keepdim=True) / n_values


def _moments_of_all(states: Tensor, *, joined: bool = False) -> Moments:
    """Compute `_moments` of all chunks as one; `joined` leaves out eos and bos between them."""
    n_chunks, length, _ = states.shape
    states = states.flatten(0, 1)
    return _moments(states[joined_rows(n_chunks, length)] if joined else states)


def _restoring(before: Moments, after: Moments) -> Tensor:
    """Compute the factor mean(before) / mean(after); 1 where that is ill-defined."""
    meaningful = [mean.abs() > MEANINGFUL_MEAN * size for mean, size in (before, after)]
    quotient = before[0] / after[0]
    # weights so small that float32 has lost their digits give an infinite quotient
    is_defined = meaningful[0] & meaningful[1] & quotient.isfinite()
    factor = torch.where(is_defined, quotient, torch.ones_like(quotient))
    # an overflow is not for these warnings: the caller refuses results that are not finite
    if bool((~is_defined & after[0].isfinite()).any()):
        _warn("the mean of a weighted chunk is too near zero to be restored: it was left alone")
    if bool((factor < 0).any()):
        _warn("restoring the mean of a weighted chunk turned its embedding round")
    return factor


def _warn(message: str) -> None:
    remedy = "Milder weights, or weighting='scale', which restores nothing, give what was meant."
    warn(PromptWarning(message, remedy=remedy))
