"""Change the weights of a prompt before its rule applies them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import copysign, fsum, inf, sqrt
from struct import pack, unpack
from typing import Literal, TypeAlias

from clipcond.chunking import TokenChunk, change_weights
from clipcond.weighting.rule import Normalize, find_by_name

NormalizationName: TypeAlias = Literal["none", "half", "mean", "length", "length+mean"]
NormalizeChoice: TypeAlias = NormalizationName | Normalize


def half(chunks: Sequence[TokenChunk]) -> Sequence[TokenChunk]:
    """Round weights to the nearest that float16 has: 1.3 becomes 1.2998046875.

    A weight beyond 65504 becomes infinite, and the result will be refused.

    Source: sd_embed 4a47f71 and diffusers 58eb52c, examples/community/lpw_stable_diffusion_xl.py,
        which keep weights in float16.
    """
    return tuple(replace(c, weights=tuple(map(_as_half, c.weights))) for c in chunks)


def mean(chunks: Sequence[TokenChunk]) -> Sequence[TokenChunk]:
    """Add one number to the weights of all tokens of text, so that their mean becomes 1.

    Source: BlenderNeko ComfyUI_ADV_CLIP_emb 63984de, token_normalization mean.
    """
    weights = [weight for chunk in chunks for weight, _ in _weights_and_words(chunk)]
    if not weights:
        return chunks
    try:
        shift = 1.0 - fsum(weights) / len(weights)
    except OverflowError:  # weights near 1e308; infinite ones are refused later, clearly
        shift = -inf
    return change_weights(chunks, lambda weight, word: weight + shift)


def length(chunks: Sequence[TokenChunk]) -> Sequence[TokenChunk]:
    """Bring the weight of a word of n tokens nearer to 1: w - 1 is divided by the root of n.

    A word is a segment of the prompt, as its syntax has it.

    Source: BlenderNeko ComfyUI_ADV_CLIP_emb 63984de, token_normalization length.
    """
    n_tokens = Counter(word for chunk in chunks for _, word in _weights_and_words(chunk))

    def shortened(weight: float, word: int) -> float:
        change = weight - 1.0
        return 1.0 + copysign(sqrt(change * change / n_tokens[word]), change)

    return change_weights(chunks, shortened)


def length_mean(chunks: Sequence[TokenChunk]) -> Sequence[TokenChunk]:
    """Apply `length`, then `mean`.

    Source: BlenderNeko ComfyUI_ADV_CLIP_emb 63984de, token_normalization length+mean.
    """
    return mean(length(chunks))


NORMALIZATIONS: dict[str, Normalize | None] = {
    "none": None,  # weights stay as written
    "half": half,
    "mean": mean,
    "length": length,
    "length+mean": length_mean,
}


def find_normalize(normalize: str | Normalize) -> Normalize | None:
    """Find a normalization of weights by name; a function itself comes back as it is.

    Returns:
        the function; None for "none".
    Raises:
        UnknownNameError: there is no such name; suggests the nearest.
    """
    return find_by_name("normalization", normalize, NORMALIZATIONS)


def _as_half(weight: float) -> float:
    """Round to float32 and then to float16, as torch makes a float16 of a Python number."""
    if weight == 1.0:
        return weight
    for kind in "fe":
        try:
            (weight,) = unpack(kind, pack(kind, weight))
        except OverflowError:
            return copysign(inf, weight)
    return weight


def _weights_and_words(chunk: TokenChunk) -> list[tuple[float, int]]:
    pairs = zip(chunk.weights, chunk.segments, strict=True)
    return [(weight, word) for weight, word in pairs if word >= 0]
