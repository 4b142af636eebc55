"""Compute what the two stages of an alignment minimise.

The text stage does not run the UNet. In the UNet stage the frozen UNet sees the same latents with
both towers' embeds; the losses of the text stage are kept at the same pairs, because the gradient
of a few predictions is so noisy that what was learned from text would be forgotten.
Source: PEA-Diffusion (ECCV 2024), which adds 0.1 of the blocks' differences.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.training.contrastive import contrastive_loss
from clipcond.training.cross_attention import compare_attention
from clipcond.training.measures import Baseline, mean_squares
from clipcond.training.pair_encoding import Draw, EncodedPairs, Group
from clipcond.training.rollout import Rollout
from clipcond.training.settings import AlignSettings
from clipcond.training.stage import Losses, Objective
from clipcond.training.teacher import Teacher

SCALE = 10.0  # of cosines, 1 / temperature

Latents = tuple[Mapping[int, int], Any]  # pair -> row of the array [n C H W]


@dataclass(slots=True)
class TextObjective(Objective):
    """Match what the UNet's cross-attention gets out of the adapter's embeds to the teacher's.

    Losses: `read`, the mean over layers; `contrast`, each prompt's outputs against those of the
    other prompts of the batch (Radford et al. 2021); `pooled`, where the UNet reads pooled vectors.
    """

    pairs: EncodedPairs
    baseline: Baseline
    settings: AlignSettings

    def losses(self, model: nn.Module, rng: random.Random) -> Losses:
        settings, baseline = self.settings, self.baseline
        batch = self.pairs.draw_batch(rng, settings.text_batch, settings.drop)
        student, pooled = batch.join_chunks(model(batch.hidden, batch.mask))
        difference, ours, theirs = compare_attention(
            baseline.layers, student, batch.teacher, _seeded_generator(rng)
        )
        losses = {"read": difference}
        if settings.contrast and len(batch.members) > 1:
            # of this process alone: each compares outputs of other layers and queries
            contrast = contrastive_loss(ours, theirs, batch.members, scale=SCALE)
            losses["contrast"] = settings.contrast * contrast
        return losses | baseline.compare_pooled(pooled, batch)


@dataclass
class UnetObjective(Objective):
    """Match the UNet's predictions with the adapter's embeds to those with the teacher's.

    Losses: `noise`, the mean square difference of predictions; `features`, that of its blocks'
    outputs; `read` and `pooled` of the text stage.

    Args:
        latents: of pairs with pictures; the others get the teacher's own.
    """

    teacher: Teacher
    pairs: EncodedPairs
    baseline: Baseline
    settings: AlignSettings
    latents: Latents

    def __post_init__(self) -> None:
        self._rows, self._latents = self.latents
        self._schedule = self.teacher.schedule()
        self._rollouts: dict[str, Rollout] = {}
        self._places = {
            group.size: [place for place, pair in enumerate(group.members) if pair in self._rows]
            for group in self.pairs.groups
        }

    def losses(self, model: nn.Module, rng: random.Random) -> Losses:
        group = self.pairs.draw_group(rng)
        generator, drop = _seeded_generator(rng), self.settings.drop
        places = self._places[group.size]
        if rng.random() < len(places) / len(group.members):
            draws = self.pairs.draw_pairs(rng, places, self.settings.unet_batch, drop)
            noisy, steps = self._noise_pictures([group.members[p] for p, _, _ in draws], generator)
            return self._compare(model, group, draws, noisy, steps, generator)[0]
        rollout, every = self._rollout("{}-{}".format(*group.size)), range(len(group.members))
        rollout.restart_finished(
            lambda: self.pairs.draw_pairs(rng, every, 1, drop)[0], rng, generator
        )
        draws, noisy, steps = rollout.draws(), rollout.latents, rollout.timesteps()
        losses, prediction = self._compare(model, group, draws, noisy, steps, generator)
        if self.settings.guidance != 1:
            empty = [(place, layer, True) for place, layer, _ in draws]
            batch = self.pairs.batch(group, empty)
            with torch.no_grad():
                base = self.teacher.predict(noisy, steps, batch.teacher, batch.pooled)
            prediction = base + self.settings.guidance * (prediction - base)
        rollout.advance(prediction)
        return losses

    def _noise_pictures(
        self, pairs: Sequence[int], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Add noise to the latents of pictures: noisy latents [b C H W], timesteps [b]."""
        clean = torch.from_numpy(self._latents[[self._rows[i] for i in pairs]])
        clean = clean.to(self.pairs.device).float()
        n_times = len(self._schedule.alphas_cumprod)
        steps = torch.randint(n_times, (len(pairs),), generator=generator).to(self.pairs.device)
        noise = torch.randn(clean.shape, generator=generator).to(self.pairs.device)
        return self._schedule.add_noise(clean, noise, steps), steps

    def _rollout(self, name: str) -> Rollout:
        if name not in self._rollouts:
            shape = (self.settings.unet_batch, *self.teacher.latent_shape())
            latents = torch.zeros(shape, device=self.pairs.device)
            n_steps = self.settings.denoising_steps
            self._rollouts[name] = Rollout(self._schedule, n_steps, latents)
        return self._rollouts[name]

    def _compare(
        self,
        model: nn.Module,
        group: Group,
        draws: Sequence[Draw],
        noisy: Tensor,
        steps: Tensor,
        generator: torch.Generator,
    ) -> tuple[Losses, Tensor]:
        """Compute the losses, and the teacher's prediction."""
        settings, baseline = self.settings, self.baseline
        predict = self.teacher.predict_with_blocks
        batch = self.pairs.batch(group, draws)
        with torch.no_grad():
            wanted = predict(noisy, steps, batch.teacher, batch.pooled)
        student, pooled = batch.join_chunks(model(batch.hidden, batch.mask))
        noise, *blocks = mean_squares(predict(noisy, steps, student, pooled), wanted)
        losses = {"noise": noise / baseline.noise}
        if settings.features:
            scaled = [b / s for b, s in zip(blocks, baseline.blocks, strict=True)]
            losses["features"] = settings.features * torch.stack(scaled).mean()
        if settings.reads:
            difference, _, _ = compare_attention(baseline.layers, student, batch.teacher, generator)
            losses["read"] = settings.reads * difference
            for name, loss in baseline.compare_pooled(pooled, batch).items():
                losses[name] = settings.reads * loss
        return losses, wanted[0]

    def state(self) -> dict[str, Any]:
        return {name: rollout.state() for name, rollout in self._rollouts.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        for name, values in state.items():
            self._rollout(name).load(values)


def _seeded_generator(rng: random.Random) -> torch.Generator:
    return torch.Generator().manual_seed(rng.getrandbits(62))
