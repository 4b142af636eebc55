"""The first stage: the adapter learns from text alone; the UNet is not run."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipcond.towers.base import TowerOutput
from clipcond.training.cross_attention import Layer, matched, read
from clipcond.training.encoded_pairs import Batch, States
from clipcond.training.loop import Losses
from clipcond.training.settings import AlignSettings

__all__ = ["Pooled", "Reads", "TextObjective", "contrast", "generator_of", "student_rows"]

N_LAYERS, N_QUERIES = 4, 64  # asked at a step
SCALE = 10.0  # of cosines, 1 / temperature


class Pooled:
    """Mean [P] and spread of the teacher's pooled vectors, to measure differences in."""

    def __init__(self, pooled: Tensor) -> None:
        self.mean = pooled.mean(dim=0)
        self.spread = max(float((pooled - self.mean).square().mean()), 1e-12)

    def matched(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Mean square difference [b P]; 1 = as a constant vector."""
        return (student - teacher).square().mean() / self.spread


class TextObjective:
    """What the UNet's layers read from the adapter's rows, against what they read from the teacher.

    Losses: `read`, the mean over layers; `contrast`, each prompt's reads against those of the other
    prompts of the batch (Radford et al. 2021); `pooled`, where the UNet reads a pooled vector.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        states: States,
        settings: AlignSettings,
        pooled: Pooled | None,
        device: torch.device,
    ) -> None:
        self._layers, self._states, self._settings = layers, states, settings
        self._pooled, self._device = pooled, device

    def losses(self, model: nn.Module, rng: random.Random, step: int) -> Losses:
        settings = self._settings
        batch = self._states.draw(rng, settings.text_batch, settings.drop, self._device)
        output = model(batch.hidden, batch.mask)
        reads = Reads.of(self._layers, student_rows(output, batch), batch, generator_of(rng))
        losses = {"read": reads.apart}
        if settings.contrast and len(batch.rows) > 1:
            apart = contrast(reads.student, reads.teacher, batch.rows)
            losses["contrast"] = settings.contrast * apart
        if self._pooled is not None and output.pooled is not None and batch.pooled is not None:
            own = first_chunks(output.pooled.float(), batch)
            losses["pooled"] = self._pooled.matched(own, batch.pooled)
        return losses

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Nothing is kept: every step draws anew."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What some of the UNet's layers read on either side.

    Args:
        apart: mean difference over layers; 1 = as rows that are the same for every prompt.
        student, teacher: [b C], each prompt's reads in one vector.
    """

    apart: Tensor
    student: Tensor
    teacher: Tensor

    @classmethod
    def of(
        cls, layers: Sequence[Layer], student: Tensor, batch: Batch, generator: torch.Generator
    ) -> Reads:
        """Ask N_QUERIES of N_LAYERS layers, drawn anew, of the student's rows [b S D]."""
        order = torch.randperm(len(layers), generator=generator)[:N_LAYERS].tolist()
        apart, theirs, ours = [], [], []
        for i in sorted(order):
            layer = layers[i]
            which = torch.randint(len(layer.queries), (N_QUERIES,), generator=generator)
            which = which.to(student.device)
            with torch.no_grad():
                wanted = read(layer, batch.teacher, which)
            found = read(layer, student, which)
            apart.append(matched(layer, found, wanted))
            theirs.append(_summary(layer, wanted, which))
            ours.append(_summary(layer, found, which))
        return cls(torch.stack(apart).mean(), torch.cat(ours, dim=1), torch.cat(theirs, dim=1))


def student_rows(output: TowerOutput, batch: Batch) -> Tensor:
    """An adapter's rows as a UNet reads them: [b c*length D], float32."""
    return output.hidden.float().unflatten(0, (-1, batch.n_chunks)).flatten(1, 2)


def first_chunks(pooled: Tensor, batch: Batch) -> Tensor:
    """The pooled vectors [b P] of the first chunks, out of those of all [b*c P]."""
    return pooled[:: batch.n_chunks]


def contrast(
    student: Tensor, teacher: Tensor, *labels: Sequence[int], scale: Tensor | float = SCALE
) -> Tensor:
    """Symmetric cross-entropy of cosines [b C]: which of one side belongs to which of the other?

    Args:
        labels: of each pair; pairs that share one are not held against each other.
        scale: that cosines are multiplied by, 1 / temperature.
    Source: Radford et al. 2021, the objective of CLIP.
    """
    cosines = F.normalize(student, dim=-1) @ F.normalize(teacher, dim=-1).T
    twins = torch.zeros(cosines.shape, dtype=torch.bool)
    for label in map(torch.as_tensor, labels):
        twins |= label[:, None] == label
    twins.fill_diagonal_(False)
    logits = (scale * cosines).masked_fill(twins.to(cosines.device), -1e4)
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def generator_of(rng: random.Random) -> torch.Generator:
    """A CPU generator that goes on from a Random."""
    return torch.Generator().manual_seed(rng.getrandbits(62))


def _summary(layer: Layer, reads: Tensor, which: Tensor) -> Tensor:
    """Reads [b q C] as one vector [b C], what all prompts share taken off."""
    shared = 0.0 if layer.mean is None else layer.mean[which]
    return (reads - shared).mean(dim=1) / layer.spread**0.5
