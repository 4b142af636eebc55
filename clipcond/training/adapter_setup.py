"""Sizes of an adapter for a UNet and a tower, and the weights it starts with."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from clipcond.adapters import Adapter, AdapterConfig, build_adapter
from clipcond.errors import TrainingError
from clipcond.towers import TextTower
from clipcond.training.settings import AlignSettings
from clipcond.training.teacher import Teacher

__all__ = ["new_adapter", "start_at", "taken_up"]

MIN_HIDDEN, MAX_HIDDEN = 128, 768
HEAD = 64  # width of a head, narrower in small ones
LAYERS = 2
START = 0.3  # of the teacher's spread: the first rows are guesses, and small ones harm less


def new_adapter(teacher: Teacher, tower: TextTower, settings: AlignSettings, seed: int) -> Adapter:
    """An untrained adapter between them, its weights drawn from `seed`.

    Raises:
        TowerError: sizes that do not go together; a tower whose chunks are too long for it.
        UnknownNameError: no such kind.
    """
    resampler = settings.adapter != "linear"
    hidden = settings.hidden or min(MAX_HIDDEN, max(MIN_HIDDEN, tower.width))
    heads = settings.heads or max(4, hidden // HEAD)
    config = AdapterConfig(
        kind=settings.adapter,
        tower_width=tower.width,
        width=teacher.width,
        length=teacher.length,
        pooled_width=teacher.pooled_width,
        hidden=hidden if resampler else 0,
        heads=heads if resampler else 0,
        layers=(settings.layers or LAYERS) if resampler else 0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapter = build_adapter(config)
    adapter.check_context(tower.special.context_length, tower.name)
    return adapter


def taken_up(start: Adapter, teacher: Teacher, tower: TextTower, tower_hash: str) -> Adapter:
    """A copy of an adapter to train further, in float32.

    Raises:
        TrainingError: it was aligned to another tower, or is none for this UNet.
    """
    if start.record is None or start.record.tower != tower_hash:
        raise TrainingError(
            f"the adapter to start from was not aligned to {tower.name!r}",
            "Name its own tower, or begin without --start-from.",
        )
    config = start.config
    found = (config.width, config.length, config.pooled_width)
    wanted = (teacher.width, teacher.length, teacher.pooled_width)
    if found != wanted:
        raise TrainingError(
            "the adapter to start from writes (width, rows, pooled width) "
            f"{found}, but the teacher's UNet reads {wanted}"
        )
    return copy.deepcopy(start).float().requires_grad_(True)


@torch.no_grad()
def start_at(adapter: Adapter, rows: Tensor, pooled: Tensor | None) -> None:
    """Let the adapter begin at what the teacher's prompts have in common.

    A row's bias becomes its mean, and a resampler's row scale its spread: so the rows that never
    change, as CLIP's first, are right before the first step, and stay so.

    Args:
        rows: the teacher's states of n chunks [n length D].
        pooled: their pooled vectors [n P], or None.
    """
    parts = dict(adapter.named_parameters())
    for name in ("row_bias", "rows"):
        if name in parts:
            parts[name].copy_(rows.mean(dim=0))
    if "row_scale" in parts:
        spread = rows.std(dim=0, correction=0).square().mean(dim=-1, keepdim=True).sqrt()
        parts["row_scale"].copy_(spread)
        weight = parts["to_rows.weight"]
        nn.init.normal_(weight, std=START * weight.shape[1] ** -0.5, generator=_generator())
    if pooled is not None and "to_pooled.bias" in parts:
        parts["to_pooled.bias"].copy_(pooled.mean(dim=0))


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
