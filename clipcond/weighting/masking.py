"""Average in re-encodings that lack fragments of weights below 1: compel's rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import torch

from clipcond.chunking import Splitter, Token, TokenChunk, chunk, empty_chunk, sentences
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.base import TowerOutput
from clipcond.weighting.rule import Encode, RuleWithNeeds, empty_if_weighted, lerp_from_empty

Chunks: TypeAlias = Sequence[TokenChunk]

# A weight of 0 would count the prompt without the fragment infinitely often.
LEAST = 1e-5


@dataclass(slots=True)
class _Fragment:
    """A segment, the weight of its first token, and the first and last chunk that it is in."""

    segment: int
    weight: float
    first: int
    last: int

    @property
    def share(self) -> float:
        """Compute how much the prompt without it counts, where the whole prompt counts 1."""
        return math.tan((1.0 - max(self.weight, LEAST)) * math.pi / 2)


# The chunks that change when a fragment is left out, by their index.
Without: TypeAlias = Callable[[Chunks, _Fragment, SpecialTokens], Mapping[int, TokenChunk]]


def _apply(without: Without, chunks: Chunks, encode: Encode) -> TowerOutput:
    """Scale each token's offset from the empty prompt; below 1, also average in re-encodings.

    h0 = `lerp` of the chunks; hi = `lerp` of the same chunks without fragment i, for every fragment
    of weight w < 1.  h' = (h0 + sum(ci * hi)) / (1 + sum(ci)),  ci = tan((1 - wi) * pi / 2).
    So a low weight acts twice. A fragment is a segment, and has the weight of its first token;
    `without` leaves it out. In float32, cast back; all weights 1 leave h bit-identical.

    Source: compel 2.5.1, DownweightMode (results; tests/parity/test_compel_tensors.py).
    """
    output = lerp_from_empty(chunks, encode)
    low = _low(chunks)
    if not low:
        return output
    whole = output.hidden.float()
    total = torch.zeros_like(whole)
    divisor = 1.0 + math.fsum(fragment.share for fragment in low)
    unchanged = [divisor] * len(chunks)  # how much h0 counts, chunk by chunk
    for fragment in low:
        changed = without(chunks, fragment, encode.special)
        if not changed:
            continue
        reduced = lerp_from_empty(list(changed.values()), encode).hidden.float()
        total[list(changed)] += fragment.share / divisor * reduced
        for i in changed:
            unchanged[i] -= fragment.share
    shares = torch.tensor(unchanged, device=whole.device) / divisor
    total += shares.view(-1, 1, 1) * whole
    return TowerOutput(total.to(output.hidden.dtype), output.pooled)


def _needs(without: Without, chunks: Chunks, special: SpecialTokens) -> Chunks:
    variants = [without(chunks, fragment, special) for fragment in _low(chunks)]
    return [*empty_if_weighted(chunks, special), *(c for v in variants for c in v.values())]


def _low(chunks: Chunks) -> list[_Fragment]:
    fragments: dict[int, _Fragment] = {}
    for i, each in enumerate(chunks):
        for segment, weight in zip(each.segments, each.weights, strict=True):
            if segment >= 0:
                fragments.setdefault(segment, _Fragment(segment, weight, i, i)).last = i
    return [fragment for fragment in fragments.values() if fragment.weight < 1.0]


def _mask(chunks: Chunks, fragment: _Fragment, special: SpecialTokens) -> Mapping[int, TokenChunk]:
    """Leave a fragment below 1 out by hiding it from attention."""
    places = range(fragment.first, fragment.last + 1)
    return {i: _hidden(chunks[i], fragment.segment, is_end=i + 1 == len(chunks)) for i in places}


def _hidden(chunk: TokenChunk, segment: int, *, is_end: bool) -> TokenChunk:
    """Hide one segment of a chunk, and what separates it from its rest in the next chunk.

    That is the eos and padding of a chunk that was cut early. The last position stays visible, as
    the first one does; it is hidden only if the rest was dropped and the chunk has other text.
    """
    length, first = len(chunk.input_ids), chunk.segments.index(segment)
    stop = first + chunk.segments.count(segment)
    if chunk.goes_on and segment == chunk.segments[chunk.places.stop - 1]:
        stop = length if is_end and first > 1 else length - 1
    mask = (*chunk.attention_mask[:first], *(0,) * (stop - first), *chunk.attention_mask[stop:])
    return replace(chunk, attention_mask=mask)


def _remove(
    chunks: Chunks, fragment: _Fragment, special: SpecialTokens, *, splitter: Splitter
) -> Mapping[int, TokenChunk]:
    """Leave a fragment below 1 out by taking it out of the text, which is then cut again."""
    tokens = [
        Token(token_id, weight, segment, 0, 0)
        for each in chunks
        for token_id, weight, segment in zip(
            each.input_ids, each.weights, each.segments, strict=True
        )
        if segment >= 0 and segment != fragment.segment
    ]
    rest = chunk(tokens, special, splitter)
    filled = [*rest, *(empty_chunk(special),) * (len(chunks) - len(rest))][: len(chunks)]
    return {
        i: new
        for i, (old, new) in enumerate(zip(chunks, filled, strict=True))
        if (new.input_ids, new.weights) != (old.input_ids, old.weights)
    }


def removing(splitter: Splitter) -> RuleWithNeeds:
    """Make a rule as `masked` that takes fragments below 1 out of the text, and cuts it again.

    What follows moves up, but nothing comes back that a dialect's `max_chunks` has dropped.

    Deviation: where the rest needs another number of chunks than the whole, compel raises; here it
    is filled up with the empty chunk, or cut.
    """
    without = partial(_remove, splitter=splitter)
    return RuleWithNeeds(partial(_apply, without), partial(_needs, without))


masked = RuleWithNeeds(partial(_apply, _mask), partial(_needs, _mask))
removed = removing(sentences)
