"""Weights below 1 as what is left when a fragment is not seen: compel's rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from clipcond.chunking import Splitter, TokenChunk, chunk, empty_chunk, sentences
from clipcond.tokens import SpecialTokens, Token
from clipcond.towers.base import TowerOutput
from clipcond.weighting.lerp import lerp
from clipcond.weighting.rule import Encode, RuleWithNeeds, needs_of

__all__ = ["masked", "removed", "removing"]

Chunks: TypeAlias = Sequence[TokenChunk]
# The chunks of a prompt without one fragment, given by the index of its segment.
Without: TypeAlias = Callable[[Chunks, int, SpecialTokens], Chunks]

# A weight of 0 would count the prompt without the fragment infinitely often.
LEAST = 1e-5


def _apply(without: Without, chunks: Chunks, encode: Encode) -> TowerOutput:
    """Move weighted rows away from the empty prompt, and low ones out of everybody's sight.

    h0 = `lerp` of the chunks; hi = `lerp` of the same chunks without fragment i, for every fragment
    of weight w < 1.  h' = (h0 + sum(ci * hi)) / (1 + sum(ci)),  ci = tan((1 - wi) * pi / 2).
    So a low weight acts twice. In float32, cast back; all weights 1 leave h bit-identical.

    Args:
        without: what it means that a fragment is not there.
        chunks: the n chunks of one prompt; weights are dimensionless, 1.0 = unweighted. A fragment
            is a segment, and has the weight of its first token.
        encode: chunks -> hidden [n L D]; also asked for the empty chunk, if anything is weighted,
            and for the chunks without each fragment below 1.
    Returns:
        hidden [n L D] in the tower's dtype; pooled [n P] untouched.
    Source: compel 2.5.1, DownweightMode; its results, see tests/parity/test_compel_tensors.py.
    """
    output = lerp(chunks, encode)
    low = _low(chunks)
    if not low:
        return output
    total, divisor = output.hidden.float(), 1.0
    for fragment, weight in low:
        share = math.tan((1.0 - max(weight, LEAST)) * math.pi / 2)
        reduced = lerp(without(chunks, fragment, encode.special), encode).hidden
        total = total + share * _as_long(reduced, len(chunks), encode).float()
        divisor += share
    return TowerOutput((total / divisor).to(output.hidden.dtype), output.pooled)


def _needs(without: Without, chunks: Chunks, special: SpecialTokens) -> Chunks:
    variants = [without(chunks, fragment, special) for fragment, _ in _low(chunks)]
    return [*needs_of(lerp, chunks, special), *(c for variant in variants for c in variant)]


def _low(chunks: Chunks) -> list[tuple[int, float]]:
    """Segment and weight of every fragment below 1, in order."""
    weights: dict[int, float] = {}
    for each in chunks:
        for segment, weight in zip(each.segments, each.weights, strict=True):
            if segment >= 0:
                weights.setdefault(segment, weight)
    return [(segment, weight) for segment, weight in weights.items() if weight < 1.0]


def _as_long(hidden: Tensor, n_chunks: int, encode: Encode) -> Tensor:
    """Hidden states [n L D] cut to so many chunks, or filled up with the empty one."""
    missing = n_chunks - len(hidden)
    if missing > 0:
        hidden = torch.cat([hidden, encode([empty_chunk(encode.special)] * missing).hidden])
    return hidden[:n_chunks]


def _mask(chunks: Chunks, fragment: int, special: SpecialTokens) -> Chunks:
    """The same tokens, those of the fragment hidden from attention."""
    return [_hidden(each, fragment) if fragment in each.segments else each for each in chunks]


def _hidden(chunk: TokenChunk, fragment: int) -> TokenChunk:
    seen = zip(chunk.attention_mask, chunk.segments, strict=True)
    return replace(
        chunk,
        attention_mask=tuple(0 if segment == fragment else mask for mask, segment in seen),
    )


def _remove(chunks: Chunks, fragment: int, special: SpecialTokens, *, splitter: Splitter) -> Chunks:
    """The other tokens, laid out anew."""
    tokens = [
        Token(token_id, weight, segment, 0, 0)
        for each in chunks
        for token_id, weight, segment in zip(
            each.input_ids, each.weights, each.segments, strict=True
        )
        if segment >= 0 and segment != fragment
    ]
    return chunk(tokens, special, splitter)


def removing(splitter: Splitter) -> RuleWithNeeds:
    """`masked`, but a fragment below 1 is taken out of the text, which is then cut by `splitter`.

    What follows moves up. Should the rest need more chunks than the whole, which happens where the
    fragment was a good place to cut, they are left out, while compel appends them.
    """
    without = partial(_remove, splitter=splitter)
    return RuleWithNeeds(partial(_apply, without), partial(_needs, without))


masked = RuleWithNeeds(partial(_apply, _mask), partial(_needs, _mask))
removed = removing(sentences)
