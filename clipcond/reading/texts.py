"""Encode plain texts of any length as vectors, through the chunks of a text tower."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clipcond.chunking import TokenChunk, chunk, tokenize_each
from clipcond.errors import ReadingError
from clipcond.prompt import parse
from clipcond.towers.base import HiddenLayer, TextTower

CHUNKS_AT_ONCE = 64


def embed_texts(
    tower: TextTower,
    texts: Sequence[str],
    projection: Tensor | None = None,
    *,
    trimmed: bool = False,
) -> Tensor:
    """Encode texts: the pooled output of each, or the mean over its chunks.

    The mean is that of the chunks' unit vectors, weighted by their numbers of tokens.

    Args:
        projection: [P D] for pooled outputs that are not projected yet.
        trimmed: leave out padding that the tower does not see: several times as fast for short
            texts, and their last bits depend on their neighbours.
    Returns:
        [n P], float32, on the CPU; not of length 1.
    """
    tokens = tokenize_each([parse(text, "plain") for text in texts], tower.tokenizer)
    chunks = [chunk(each, tower.special) for each in tokens]
    pooled = _pooled(tower, [each for own in chunks for each in own], trimmed=trimmed)
    if projection is not None:
        matrix = projection.float().cpu()
        pooled = torch.cat([row[None] @ matrix.T for row in pooled])  # as `project_each`
    rows = iter(torch.split(pooled, [len(own) for own in chunks]))
    return torch.stack([_mean(next(rows), own) for own in chunks])


def _mean(rows: Tensor, chunks: Sequence[TokenChunk]) -> Tensor:
    if len(chunks) == 1:
        return rows[0]
    weights = torch.tensor([float(each.content) for each in chunks])
    return (torch.nn.functional.normalize(rows, dim=-1) * weights[:, None]).sum(0) / weights.sum()


def _pooled(tower: TextTower, chunks: Sequence[TokenChunk], *, trimmed: bool) -> Tensor:
    by_length: dict[int | None, list[int]] = {}
    for i, each in enumerate(chunks):
        by_length.setdefault(_seen(tower, each) if trimmed else None, []).append(i)
    places: list[int] = []
    found: list[Tensor] = []
    for stop, own in by_length.items():
        for start in range(0, len(own), CHUNKS_AT_ONCE):
            part = own[start : start + CHUNKS_AT_ONCE]
            places += part
            found.append(_encoded(tower, [chunks[i] for i in part], stop))
    rows = torch.cat(found)
    return rows[torch.tensor(places).argsort()]


def _seen(tower: TextTower, chunk: TokenChunk) -> int | None:
    """Count the tokens that the pooled output depends on; None = all."""
    if tower.special.mask_padding:
        return sum(chunk.attention_mask)
    # a causal tower is read at the EOS
    return chunk.content + 2 if getattr(tower, "causal", False) else None


def _encoded(tower: TextTower, chunks: Sequence[TokenChunk], stop: int | None) -> Tensor:
    ids = torch.tensor([each.input_ids[:stop] for each in chunks], device=tower.device)
    mask = torch.tensor([each.attention_mask[:stop] for each in chunks], device=tower.device)
    pooled = tower.encode(ids, mask, HiddenLayer(), pooled=True).pooled
    if pooled is None:
        raise ReadingError(f"{tower.name!r} gives no pooled output, which is what is compared")
    return pooled.detach().float().cpu()
