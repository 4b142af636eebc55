"""What is measured before the first step, and how far an adapter is from its teacher."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clipcond.training.attention_queries import drawn_by, gathered
from clipcond.training.cross_attention import Layer, cross_attentions, matched, read
from clipcond.training.encoded_pairs import Batch, States
from clipcond.training.teacher import Teacher
from clipcond.training.text_stage import Pooled, first_chunks, student_rows
from clipcond.training.unet_stage import look

__all__ = ["Ruler", "ruler_of"]

N_MEASURED, AT_ONCE = 128, 32  # pairs behind means and spreads
N_DRAWN, DRAWN_AT_ONCE, QUERY_STEPS = 16, 8, 8  # pairs whose drawing gives the queries
N_READ = 256  # queries asked in a measurement
N_MOMENTS = 4  # between noise and picture, at which predictions are compared
N_SCALED, N_COMPARED = 2, 8  # batches of the UNet's: behind its scales, and of held-out pairs


@dataclass(frozen=True, slots=True)
class Moment:
    """Noisy latents [b C H W] on the teacher's way at timesteps [b], and what it predicts there."""

    batch: Batch
    noisy: Tensor
    steps: Tensor
    prediction: Tensor


@dataclass(frozen=True, slots=True)
class Ruler:
    """Scales of all losses.

    Args:
        layers: with queries, means and spreads.
        rows: [n length D], the teacher's chunks behind them.
        pooled: mean and spread of its pooled vectors, or None.
        noise, blocks: what differs in the UNet's prediction, and in each block, if it is given the
            mean of all prompts instead of its own.
        moments: of pairs that are not trained on.
    """

    layers: tuple[Layer, ...]
    rows: Tensor
    pooled: Pooled | None
    noise: float
    blocks: tuple[float, ...]
    moments: tuple[Moment, ...]

    @torch.no_grad()
    def measured(self, model: nn.Module, teacher: Teacher) -> dict[str, float]:
        """How far a model's rows are from the teacher's; 0 = not at all, 1 = as rows that are the
        same for every prompt, their mean.

        Returns:
            `read`, in what the UNet's attention reads; `noise`, in what the UNet predicts;
            `pooled`, where there is such a vector.
        """
        found: dict[str, list[float]] = {}
        for moment in self.moments:
            batch, output = moment.batch, model(moment.batch.hidden, moment.batch.mask)
            student = student_rows(output, batch)
            some = torch.arange(min(N_READ, len(self.layers[0].queries)), device=student.device)
            reads = [
                matched(each, read(each, student, some), read(each, batch.teacher, some))
                for each in self.layers
            ]
            found.setdefault("read", []).append(float(torch.stack(reads).mean()))
            pooled = None
            if output.pooled is not None and batch.pooled is not None:
                pooled = first_chunks(output.pooled.float(), batch)
                if self.pooled is not None:
                    apart = float(self.pooled.matched(pooled, batch.pooled))
                    found.setdefault("pooled", []).append(apart)
            ours = teacher.predict(moment.noisy, moment.steps, student, pooled)
            noise = float((ours - moment.prediction).square().mean()) / self.noise
            found.setdefault("noise", []).append(noise)
        return {name: sum(values) / len(values) for name, values in found.items()}


@torch.no_grad()
def ruler_of(
    teacher: Teacher, trained: States, held_out: States, n: int, seed: int, device: torch.device
) -> Ruler:
    """Measure on trained pairs what losses are scaled by, and lay out what to compare at the end.

    Args:
        n: held-out pairs of one comparison.
    """
    rng, generator = random.Random(f"{seed}/ruler"), torch.Generator().manual_seed(seed)

    def drawn(states: States, n_pairs: int, at_once: int) -> list[Batch]:
        return [states.draw(rng, at_once, 0.0, device) for _ in range(-(-n_pairs // at_once))]

    queries = gathered(teacher, drawn(trained, N_DRAWN, DRAWN_AT_ONCE), generator, QUERY_STEPS)
    many = drawn(trained, N_MEASURED, AT_ONCE)
    attentions = cross_attentions(teacher.unet, teacher.width)
    layers = [Layer(a, q) for a, q in zip(attentions, queries, strict=True)]
    rows = torch.cat([b.teacher.unflatten(1, (-1, teacher.length)).flatten(0, 1) for b in many])
    pooled = [b.pooled for b in many if b.pooled is not None]
    middle = Pooled(torch.cat(pooled)) if pooled else None
    several = drawn(trained, n * N_SCALED, n)
    noise, blocks = _scales(teacher, several, rows.mean(dim=0), middle, generator)
    moments = [
        Moment(batch, *way)
        for batch in drawn(held_out, n * N_COMPARED, n)
        for way in drawn_by(teacher, batch, generator, N_MOMENTS)
    ]
    return Ruler(
        layers=tuple(_scaled(layer, many) for layer in layers),
        rows=rows,
        pooled=middle,
        noise=noise,
        blocks=tuple(blocks),
        moments=tuple(moments),
    )


def _scaled(layer: Layer, batches: Sequence[Batch]) -> Layer:
    """The layer with mean and spread of what it reads from these."""
    every = torch.arange(len(layer.queries), device=layer.queries.device)
    mean = torch.zeros(())
    squares, n = 0.0, 0
    for reads in _reads(layer, batches, every):
        mean = mean.to(reads.device) + reads.sum(dim=0)
        squares += float(reads.square().mean()) * len(reads)
        n += len(reads)
    mean = mean / n
    return Layer(layer.attention, layer.queries, mean, _above(squares / n - mean.square().mean()))


def _reads(layer: Layer, batches: Sequence[Batch], which: Tensor) -> Iterator[Tensor]:
    for batch in batches:
        yield read(layer, batch.teacher, which)


def _scales(
    teacher: Teacher,
    batches: Sequence[Batch],
    mean: Tensor,
    pooled: Pooled | None,
    generator: torch.Generator,
) -> tuple[float, list[float]]:
    """What the mean of all prompts [length D] changes, over some ways from noise to picture."""
    found: list[list[float]] = []
    for batch in batches:
        n, n_chunks = len(batch.teacher), batch.teacher.shape[1] // teacher.length
        same = mean.repeat(n_chunks, 1).expand(n, -1, -1)
        pooled_same = None if pooled is None else pooled.mean.expand(n, -1)
        for noisy, steps, _ in drawn_by(teacher, batch, generator, N_MOMENTS):
            full = look(teacher, noisy, steps, batch.teacher, batch.pooled)
            prediction, blocks = full.apart(look(teacher, noisy, steps, same, pooled_same))
            found.append([float(prediction), *map(float, blocks)])
    means = [_above(torch.tensor(values).mean()) for values in zip(*found, strict=True)]
    return means[0], means[1:]


def _above(value: Tensor) -> float:
    return max(float(value), 1e-12)
