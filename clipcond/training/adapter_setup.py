"""Set up the adapter of a run: a new one, or a copy of one to train further."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from clipcond.adapters import Adapter, AdapterConfig, build_adapter
from clipcond.errors import TrainingError
from clipcond.training.settings import AlignSettings
from clipcond.training.sources import Source
from clipcond.training.teacher import Teacher

MIN_HIDDEN, MAX_HIDDEN = 128, 768
HEAD_WIDTH = 64  # narrower in small resamplers
DEFAULT_LAYERS = 2
START = 0.3  # of the teacher's spread: the first rows are guesses, and small ones harm less


def new_adapter(teacher: Teacher, source: Source, settings: AlignSettings, seed: int) -> Adapter:
    """Make an untrained adapter for what it reads and a UNet, its weights drawn from `seed`.

    Raises:
        TowerError: sizes that do not go together; a tower whose chunks are too long for it.
        UnknownNameError: no such kind.
    """
    kind = source.adapter or settings.adapter
    is_linear = kind == "linear"
    hidden = settings.hidden or min(MAX_HIDDEN, max(MIN_HIDDEN, source.width))
    config = AdapterConfig(
        kind=kind,
        tower_width=source.width,
        width=teacher.width,
        length=teacher.length,
        pooled_width=teacher.pooled_width,
        hidden=0 if is_linear else hidden,
        heads=0 if is_linear else settings.heads or max(4, hidden // HEAD_WIDTH),
        layers=0 if is_linear else settings.layers or DEFAULT_LAYERS,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapter = build_adapter(config)
    adapter.check_context(source.context_length, source.name)
    return adapter


def copy_adapter(start: Adapter, teacher: Teacher, name: str, fingerprint: str) -> Adapter:
    """Copy an adapter to train it further, in float32.

    Args:
        name, fingerprint: of the source that it reads.
    Raises:
        TrainingError: it was aligned to another tower, or does not suit this UNet.
    """
    if start.record is None or start.record.tower != fingerprint:
        raise TrainingError(
            f"the adapter to start from was not aligned to {name!r}",
            "Name its own tower, or begin without start_from=.",
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
def set_first_rows(adapter: Adapter, rows: Tensor, pooled_mean: Tensor | None) -> None:
    """Let a new adapter begin at what the teacher's prompts have in common.

    A row's bias becomes its mean, and a resampler's row scale its spread: so the rows that never
    change, as CLIP's first, are right before the first step, and stay so.

    Args:
        rows: the teacher's embeds of n chunks [n length D].
        pooled_mean: the mean of its pooled vectors [P], or None.
    """
    parts = dict(adapter.named_parameters())
    for name in ("row_bias", "rows"):
        if name in parts:
            parts[name].copy_(rows.mean(dim=0))
    if "row_scale" in parts:
        spread = rows.std(dim=0, correction=0).square().mean(dim=-1, keepdim=True).sqrt()
        parts["row_scale"].copy_(spread)
        weight, generator = parts["to_rows.weight"], torch.Generator().manual_seed(0)
        nn.init.normal_(weight, std=START * weight.shape[1] ** -0.5, generator=generator)
    if pooled_mean is not None and "to_pooled.bias" in parts:
        parts["to_pooled.bias"].fill_(float(pooled_mean.mean()))  # one value for all of [P]
