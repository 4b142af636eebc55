"""Measure the scales of all losses, and how far an adapter is from its teacher."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from clipcond.errors import TrainingError
from clipcond.training.cross_attention import AttentionLayer, collect_queries, denoise
from clipcond.training.pair_encoding import Batch, EncodedPairs
from clipcond.training.teacher import Teacher

N_MEASURED, AT_ONCE = 128, 32  # pairs behind means and spreads
N_DRAWN, DRAWN_AT_ONCE, QUERY_STEPS = 16, 8, 8  # pairs whose drawing gives the queries
N_QUERIES_MEASURED = 256  # queries of a layer in a measurement
N_MOMENTS = 4  # between noise and picture, at which predictions are compared
FAR_WORSE = 10.0  # times as far from the teacher as the same rows for every prompt
N_SCALED, N_COMPARED = 2, 8  # batches behind the UNet's scales, and of held-out pairs
SMALLEST = 1e-12  # scale, so that nothing is divided by zero


@dataclass(frozen=True, slots=True)
class Baseline:
    """The losses of embeddings that are the same for every prompt: the scales of all losses.

    A loss of 1 is that of such embeddings: the mean of the teacher's.

    Args:
        layers: the UNet's cross-attention, with means and spreads of its outputs.
        rows: [n length D], the chunks of the teacher's embeds that were measured.
        pooled_mean: [P], of the teacher's pooled vectors, or None.
        pooled_spread: mean square of their distance from it.
        noise, blocks: mean square difference of the UNet's prediction, and of each block's output.
        moments: held-out batches with noisy latents [b C H W] that the teacher met at timesteps
            [b], and its prediction there.
    """

    layers: Sequence[AttentionLayer]
    rows: Tensor
    pooled_mean: Tensor | None
    pooled_spread: float
    noise: float
    blocks: Sequence[float]
    moments: Sequence[tuple[Batch, Tensor, Tensor, Tensor]]

    def compare_pooled(self, pooled: Tensor | None, batch: Batch) -> dict[str, Tensor]:
        """Compare pooled vectors [b P] with the teacher's; {} where the UNet reads none."""
        if self.pooled_mean is None or pooled is None or batch.pooled is None:
            return {}
        return {"pooled": (pooled - batch.pooled).square().mean() / self.pooled_spread}

    @torch.no_grad()
    def measure(self, model: nn.Module, teacher: Teacher) -> dict[str, float]:
        """Measure how far an adapter's output is from the teacher's on held-out pairs.

        Returns:
            0 = equal, 1 = as the baseline: `read`, in outputs of cross-attention; `noise`, in
            predictions; `pooled`, where the UNet reads pooled vectors.
        """
        every: list[dict[str, float]] = []
        for batch, noisy, steps, prediction in self.moments:
            student, pooled = batch.join_chunks(model(batch.hidden, batch.mask))
            which = torch.arange(
                min(N_QUERIES_MEASURED, len(self.layers[0].queries)), device=student.device
            )
            differences = [
                layer.difference(layer.attend(student, which), layer.attend(batch.teacher, which))
                for layer in self.layers
            ]
            found = {"read": torch.stack(differences).mean(), **self.compare_pooled(pooled, batch)}
            ours = teacher.predict(noisy, steps, student, pooled)
            noise = float((ours - prediction).square().mean()) / self.noise
            every.append({**{name: float(value) for name, value in found.items()}, "noise": noise})
        return {name: sum(each[name] for each in every) / len(every) for name in every[0]}


def check_progress(reached: Mapping[str, float]) -> None:
    """Refuse to go on with an adapter that is far worse than one that knows nothing.

    Args:
        reached: what `Baseline.measure` gave.
    Raises:
        TrainingError: a figure is above FAR_WORSE, or NaN.
    """
    name, value = max(reached.items(), key=lambda item: (item[1] != item[1], item[1]))
    if not value <= FAR_WORSE:
        raise TrainingError(
            f"the training went astray: {name} is {value:.4g} on held-out pairs, where 0 is "
            "perfect and 1 is an adapter that gives the same for every prompt",
            "Give more pairs, or a lower learning rate.",
        )


@torch.no_grad()
def measure_baseline(
    teacher: Teacher, trained: EncodedPairs, held_out: EncodedPairs, n: int, seed: int
) -> Baseline:
    """Measure scales on trained pairs, and draw with the teacher what to compare at the end.

    Args:
        n: held-out pairs in a batch.
    """
    # every other name would draw other pairs, and give other adapters
    rng, generator = random.Random(f"{seed}/ruler"), torch.Generator().manual_seed(seed)

    def draw(pairs: EncodedPairs, n_pairs: int, at_once: int) -> list[Batch]:
        return [pairs.draw_batch(rng, at_once, 0.0) for _ in range(-(-n_pairs // at_once))]

    layers = collect_queries(teacher, draw(trained, N_DRAWN, DRAWN_AT_ONCE), generator, QUERY_STEPS)
    many = draw(trained, N_MEASURED, AT_ONCE)
    rows = torch.cat([b.teacher.reshape(-1, teacher.length, teacher.width) for b in many])
    vectors = [b.pooled for b in many if b.pooled is not None]
    mean, spread = mean_and_spread(torch.cat(vectors)) if vectors else (None, 1.0)
    several = draw(trained, n * N_SCALED, n)
    noise, *blocks = _measure_unet(teacher, several, rows.mean(dim=0), mean, generator)
    moments = [
        (batch, *moment)
        for batch in draw(held_out, n * N_COMPARED, n)
        for moment in denoise(teacher, batch, generator, N_MOMENTS)
    ]
    return Baseline(
        layers=[_measure_layer(layer, many) for layer in layers],
        rows=rows,
        pooled_mean=mean,
        pooled_spread=spread,
        noise=noise,
        blocks=blocks,
        moments=moments,
    )


def mean_and_spread(vectors: Tensor) -> tuple[Tensor, float]:
    """Compute the mean [P] of vectors [n P], and the mean square of their distance from it."""
    mean = vectors.mean(dim=0)
    return mean, _at_least((vectors - mean).square().mean())


def mean_squares(some: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    """Compute the mean square difference of each two tensors."""
    return [(a - b).square().mean() for a, b in zip(some, others, strict=True)]


def _measure_layer(layer: AttentionLayer, batches: Sequence[Batch]) -> AttentionLayer:
    """Set a layer's mean and spread by its outputs for these batches."""
    every = torch.arange(len(layer.queries), device=layer.queries.device)
    mean, squares, n = torch.zeros(()), 0.0, 0
    for batch in batches:
        outputs = layer.attend(batch.teacher, every)
        mean = mean.to(outputs.device) + outputs.sum(dim=0)
        squares += float(outputs.square().mean()) * len(outputs)
        n += len(outputs)
    mean = mean / n
    return replace(layer, mean=mean, spread=_at_least(squares / n - mean.square().mean()))


def _measure_unet(
    teacher: Teacher,
    batches: Sequence[Batch],
    mean: Tensor,
    pooled_mean: Tensor | None,
    generator: torch.Generator,
) -> list[float]:
    """Measure what the mean of all prompts [length D] changes in the UNet.

    Returns:
        mean square differences of the prediction, then of each block's output.
    """
    found: list[Tensor] = []
    for batch in batches:
        n, n_chunks = len(batch.teacher), batch.teacher.shape[1] // teacher.length
        same = mean.repeat(n_chunks, 1).expand(n, -1, -1)
        pooled = None if pooled_mean is None else pooled_mean.expand(n, -1)
        for noisy, steps, _ in denoise(teacher, batch, generator, N_MOMENTS):
            own = teacher.predict_with_blocks(noisy, steps, batch.teacher, batch.pooled)
            others = teacher.predict_with_blocks(noisy, steps, same, pooled)
            found.append(torch.stack(mean_squares(own, others)).cpu())
    return [_at_least(torch.stack(values).mean()) for values in zip(*found, strict=True)]


def _at_least(value: Tensor) -> float:
    return max(float(value), SMALLEST)
