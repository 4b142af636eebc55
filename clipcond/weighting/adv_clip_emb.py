"""Average in re-encodings that lack weighted words: the rules of ADV_CLIP_emb.

A word is left out by replacing its tokens by one of little meaning, the tower's `stand_in`. A word
is a segment of the prompt: in dialect comfyui a whole fragment, in comfyui_words a single word.

ADV_CLIP_emb's interpretation comfy is `lerp` here, A1111 is `adv_a1111` (the same as
`scale_mean_prompt`), compel is `adv_compel`; `comfy++` and `down_weight` have the same names.

n words above 1 and m different weights below 1 cost n and m further encodings of the chunks that
hold them, all in one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from clipcond.chunking import TokenChunk, change_weights, empty_chunk
from clipcond.errors import WeightingError
from clipcond.tokenizers.base import SpecialTokens
from clipcond.towers.base import TowerOutput
from clipcond.weighting.rule import Encode, RuleWithNeeds, lerp_from

Chunks = Sequence[TokenChunk]
States = Callable[[Chunks], Tensor]


def _down_weight(chunks: Chunks, encode: Encode) -> TowerOutput:
    """Average in re-encodings without words whose weight is below the largest.

    Weights are divided by the largest, if that is above 1. Let v1 < v2 < ... < 1 be those below 1:
    then h' = v1 * h + (v2 - v1) * h1 + ... + (1 - vi) * hi, where hi is encoded without the words
    of weight <= vi.

    Raises:
        WeightingError: the tower has no token that can stand in for a word.
    Source: BlenderNeko ComfyUI_ADV_CLIP_emb 63984de, interpretation down_weight.
    """
    output = encode(chunks)
    hidden = _lowered(_relative(chunks), encode.special, lambda c: encode(c).hidden)
    return TowerOutput(hidden, output.pooled)


def _comfy_plus_plus(chunks: Chunks, encode: Encode) -> TowerOutput:
    """Lower words as `down_weight`; raise a word by what its rows lose when it is left out.

    h' = lowered(h) + sum over words of weight w > 1 of (w - 1) * (h - h without the word), at the
    rows of that word only. A word has the weight of its first token.

    Raises:
        WeightingError: the tower has no token that can stand in for a word.
    Source: BlenderNeko ComfyUI_ADV_CLIP_emb 63984de, interpretation comfy++.
    """
    output = encode(chunks)
    if not any(chunk.is_weighted for chunk in chunks):
        return output
    before = output.hidden.float()
    after = _lowered(chunks, encode.special, lambda c: encode(c).hidden).float().clone()
    for weight, word in _raised(chunks):
        places = [i for i, chunk in enumerate(chunks) if word in chunk.segments]
        without = encode([_without_word(chunks[i], word, encode.special) for i in places]).hidden
        for i, missing in zip(places, before[places] - without.float(), strict=True):
            rows = [row for row, segment in enumerate(chunks[i].segments) if segment == word]
            after[i, rows] += (weight - 1.0) * missing[rows]
    return TowerOutput(after.to(output.hidden.dtype), output.pooled)


def _adv_compel(chunks: Chunks, encode: Encode) -> TowerOutput:
    """Raise words as `lerp`; lower them by re-encodings without them, as `down_weight`.

    Let g = `lerp` with weights below 1 taken as 1, and v1 < v2 < ... < 1 the weights below 1: then
    h' = v1 * g + (v2 - v1) * g1 + ... + (1 - vi) * gi, where gi is encoded without the words of
    weight <= vi.

    Raises:
        WeightingError: the tower has no token that can stand in for a word.
    Source: BlenderNeko ComfyUI_ADV_CLIP_emb 63984de, interpretation compel.
    """

    def states(variant: Chunks) -> Tensor:
        hidden = encode(variant).hidden
        if not _has_raised(chunks):
            return hidden
        empty = encode([empty_chunk(encode.special)]).hidden
        weights = empty.float().new_tensor([c.weights for c in variant]).clamp(min=1.0)
        return lerp_from(empty, hidden, weights.unsqueeze(-1))

    return TowerOutput(_lowered(chunks, encode.special, states), encode(chunks).pooled)


def _lowered(chunks: Chunks, special: SpecialTokens, states: States) -> Tensor:
    """Average the states [n L D] of chunks with those that lack words below 1."""
    (share, variant), *further = _degrees(chunks, special)
    hidden = states(variant)
    if not further:
        return hidden
    blended = share * hidden.float()
    for share, variant in further:
        blended += share * states(variant).float()
    return blended.to(hidden.dtype)


def _degrees(chunks: Chunks, special: SpecialTokens) -> Iterator[tuple[float, Chunks]]:
    """Yield variants of the chunks, each lacking more words than the last, and their shares."""
    values = sorted({w for chunk in chunks for w in chunk.weights if w < 1.0})
    yield (values[0] if values else 1.0), chunks
    for value, following in pairwise([*values, 1.0]):
        yield (
            following - value,
            [_without(c, [w <= value for w in c.weights], special) for c in chunks],
        )


def _raised(chunks: Chunks) -> list[tuple[float, int]]:
    words: dict[int, float] = {}
    for chunk in chunks:
        for weight, segment in zip(chunk.weights, chunk.segments, strict=True):
            if segment >= 0:
                words.setdefault(segment, weight)
    return [(weight, word) for word, weight in words.items() if weight > 1.0]


def _relative(chunks: Chunks) -> Chunks:
    """Divide the weights of chunks by the largest, if that is above 1."""
    largest = max(weight for chunk in chunks for weight in chunk.weights)
    if largest <= 1.0:
        return chunks
    return change_weights(chunks, lambda weight, word: weight / largest)


def _without_word(chunk: TokenChunk, word: int, special: SpecialTokens) -> TokenChunk:
    return _without(chunk, [segment == word for segment in chunk.segments], special)


def _without(chunk: TokenChunk, left_out: Sequence[bool], special: SpecialTokens) -> TokenChunk:
    if not any(left_out):
        return chunk
    if special.stand_in is None:
        raise WeightingError(
            "this tower has no token that can stand in for a word that is left out",
            remedy="Use weighting='lerp', which leaves no words out.",
        )
    pairs = zip(chunk.input_ids, left_out, strict=True)
    return replace(chunk, input_ids=tuple(special.stand_in if out else i for i, out in pairs))


def _has_raised(chunks: Chunks) -> bool:
    return any(weight > 1.0 for chunk in chunks for weight in chunk.weights)


def _needs_lowered(chunks: Chunks, special: SpecialTokens) -> list[TokenChunk]:
    return [c for _, variant in _degrees(chunks, special) for c in variant]


def _needs_down_weight(chunks: Chunks, special: SpecialTokens) -> list[TokenChunk]:
    return _needs_lowered(_relative(chunks), special)


def _needs_comfy_plus_plus(chunks: Chunks, special: SpecialTokens) -> list[TokenChunk]:
    raised = [
        _without_word(chunk, word, special)
        for _, word in _raised(chunks)
        for chunk in chunks
        if word in chunk.segments
    ]
    return _needs_lowered(chunks, special) + raised


def _needs_adv_compel(chunks: Chunks, special: SpecialTokens) -> list[TokenChunk]:
    empty = [empty_chunk(special)] if _has_raised(chunks) else []
    return _needs_lowered(chunks, special) + empty


down_weight = RuleWithNeeds(_down_weight, _needs_down_weight)
comfy_plus_plus = RuleWithNeeds(_comfy_plus_plus, _needs_comfy_plus_plus)
adv_compel = RuleWithNeeds(_adv_compel, _needs_adv_compel)
