"""What happens while the teacher draws: its latents, and the queries its UNet asks the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from clipcond.training.cross_attention import cross_attentions
from clipcond.training.encoded_pairs import Batch
from clipcond.training.teacher import Teacher

__all__ = ["drawn_by", "gathered"]

N_QUERIES = 512  # of a layer


@torch.no_grad()
def drawn_by(
    teacher: Teacher, batch: Batch, generator: torch.Generator, n_steps: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The teacher draws: noisy latents [b C H W], timesteps [b] and prediction, step by step."""
    schedule = teacher.schedule()
    schedule.set_timesteps(n_steps)
    device = batch.teacher.device
    shape = (len(batch.teacher), *teacher.latent_shape())
    latents = torch.randn(shape, generator=generator).to(device) * schedule.init_noise_sigma
    for step in schedule.timesteps:
        steps = step.to(device).expand(len(latents))
        prediction = teacher.predict(latents, steps, batch.teacher, batch.pooled)
        yield latents, steps, prediction
        latents = schedule.step(prediction, step, latents).prev_sample


def gathered(
    teacher: Teacher, batches: Sequence[Batch], generator: torch.Generator, n_steps: int
) -> list[Tensor]:
    """Queries [N_QUERIES heads*d] of each layer, from all places, prompts and timesteps alike.

    Args:
        batches: encoded pairs, which the teacher draws in `n_steps` steps.
    """
    attentions = cross_attentions(teacher.unet, teacher.width)
    n_each = -(-N_QUERIES // (len(batches) * n_steps))
    found: list[list[Tensor]] = [[] for _ in attentions]
    with _asked(attentions) as asked:
        for batch in batches:
            for _ in drawn_by(teacher, batch, generator, n_steps):
                for queries, rows in zip(found, asked, strict=True):
                    flat = rows.flatten(0, 1)
                    picked = torch.randint(len(flat), (n_each,), generator=generator)
                    queries.append(flat[picked.to(flat.device)])
    return [torch.cat(queries)[:N_QUERIES] for queries in found]


@contextmanager
def _asked(attentions: Sequence[Any]) -> Iterator[list[Tensor]]:
    """What each layer's `to_q` gave in the latest forward run inside."""
    seen: list[Tensor] = [torch.empty(0)] * len(attentions)

    def hook(i: int) -> Any:
        def after(_: Any, __: Any, result: Tensor) -> None:
            seen[i] = result

        return after

    handles = [each.to_q.register_forward_hook(hook(i)) for i, each in enumerate(attentions)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
