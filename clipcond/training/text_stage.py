"""Train an adapter on text alone: the first stage, which does not run the UNet."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clipcond.training.cross_attention import compare_attention
from clipcond.training.loop import Losses, Objective
from clipcond.training.measures import Baseline
from clipcond.training.pair_encoding import EncodedPairs
from clipcond.training.settings import AlignSettings

__all__ = ["TextObjective", "contrastive_loss", "seeded_generator"]

SCALE = 10.0  # of cosines, 1 / temperature


class TextObjective(Objective):
    """Match what the UNet's cross-attention gets out of the adapter's embeds to the teacher's.

    Losses: `read`, the mean over layers; `contrast`, each prompt's outputs against those of the
    other prompts of the batch (Radford et al. 2021); `pooled`, where the UNet reads pooled vectors.
    """

    def __init__(
        self,
        pairs: EncodedPairs,
        baseline: Baseline,
        settings: AlignSettings,
        device: torch.device,
    ) -> None:
        self._pairs, self._baseline = pairs, baseline
        self._settings, self._device = settings, device

    def losses(self, model: nn.Module, rng: random.Random) -> Losses:
        settings, baseline = self._settings, self._baseline
        batch = self._pairs.draw_batch(rng, settings.text_batch, settings.drop, self._device)
        student, pooled = batch.join_chunks(model(batch.hidden, batch.mask))
        difference, ours, theirs = compare_attention(
            baseline.layers, student, batch.teacher, seeded_generator(rng)
        )
        losses = {"read": difference}
        if settings.contrast and len(batch.members) > 1:
            losses["contrast"] = settings.contrast * contrastive_loss(ours, theirs, batch.members)
        pooled_difference = baseline.pooled_difference(pooled, batch)
        if pooled_difference is not None:
            losses["pooled"] = pooled_difference
        return losses


def contrastive_loss(
    student: Tensor, teacher: Tensor, *labels: Sequence[int], scale: Tensor | float = SCALE
) -> Tensor:
    """Compute the symmetric cross-entropy of cosines: which student belongs to which teacher?

    Args:
        student, teacher: [b C].
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


def seeded_generator(rng: random.Random) -> torch.Generator:
    """Make a CPU generator whose seed is drawn from a Random."""
    return torch.Generator().manual_seed(rng.getrandbits(62))
