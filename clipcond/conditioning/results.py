"""What a diffusion model is conditioned on, and how the towers' parts of it are put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clipcond.conditioning.plan import Chunks, Key

__all__ = ["Conditioning", "Guided", "joined", "only", "zeros_like"]


@dataclass(frozen=True, slots=True)
class Conditioning:
    """embeds [b S D]; pooled [b P] or None; attention_mask [b S] or None (all positions count)."""

    embeds: Tensor
    pooled: Tensor | None = None
    attention_mask: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Guided:
    """Two conditionings of equal shape, for classifier-free guidance."""

    positive: Conditioning
    negative: Conditioning


def joined(
    group: Sequence[tuple[Key, ...]],
    columns: Sequence[Mapping[Key, Chunks]],
    parts: Sequence[Conditioning],
) -> Conditioning:
    """The towers' parts of one group of prompts, side by side."""
    picks = []
    for t, column in enumerate(columns):
        index = {key: i for i, key in enumerate(column)}
        picks.append([index[keys[t]] for keys in group])
    chosen = [part.embeds[pick] for part, pick in zip(parts, picks, strict=True)]
    embeds = chosen[0] if len(chosen) == 1 else torch.cat(chosen, dim=-1)
    pooled = parts[-1].pooled
    return Conditioning(
        embeds,
        None if pooled is None else pooled[picks[-1]],
        _joined_mask([part.attention_mask for part in parts], picks),
    )


def only(conditioning: Conditioning, rows: Sequence[int] | None) -> Conditioning:
    """The conditioning with some rows of its embeds only; None = all."""
    if rows is None:
        return conditioning
    mask = conditioning.attention_mask
    return Conditioning(
        conditioning.embeds[:, list(rows)],
        conditioning.pooled,
        None if mask is None else mask[:, list(rows)],
    )


def zeros_like(conditioning: Conditioning) -> Conditioning:
    """All zeros: the negative of a pair of towers, as some dialects have it."""
    pooled = conditioning.pooled
    return Conditioning(
        torch.zeros_like(conditioning.embeds),
        None if pooled is None else torch.zeros_like(pooled),
        conditioning.attention_mask,
    )


def _joined_mask(masks: Sequence[Tensor | None], picks: Sequence[list[int]]) -> Tensor | None:
    """Which positions say something in some tower [b S]; None = all, as where one masks none."""
    picked = [mask[pick] for mask, pick in zip(masks, picks, strict=True) if mask is not None]
    if len(picked) < len(masks):
        return None
    return torch.stack(picked).amax(dim=0)
