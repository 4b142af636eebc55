"""Train an adapter through the frozen UNet, which sees the same latents with both towers' embeds.

Losses: the mean square difference of its predictions, and of its blocks' outputs. The losses of the
text stage are kept at the same pairs: the gradient of a few predictions is so noisy that what was
learned from text would be forgotten.
Source: PEA-Diffusion (ECCV 2024), which adds 0.1 of the blocks' differences.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.training.cross_attention import compare_attention
from clipcond.training.loop import Losses, Objective
from clipcond.training.measures import Baseline, mean_squares
from clipcond.training.pair_encoding import Draw, EncodedPairs, Group
from clipcond.training.rollout import Rollout
from clipcond.training.settings import AlignSettings
from clipcond.training.teacher import Teacher
from clipcond.training.text_stage import seeded_generator

__all__ = ["UnetObjective"]

Latents = tuple[Mapping[int, int], Any]  # pair -> row of the array [n C H W]


class UnetObjective(Objective):
    """Match the UNet's predictions with the adapter's embeds to those with the teacher's.

    Args:
        latents: of pairs with pictures; the others get the teacher's own.
    """

    def __init__(
        self,
        teacher: Teacher,
        pairs: EncodedPairs,
        baseline: Baseline,
        settings: AlignSettings,
        latents: Latents,
        device: torch.device,
    ) -> None:
        self._teacher, self._pairs, self._baseline = teacher, pairs, baseline
        self._settings, self._device = settings, device
        self._rows, self._latents = latents
        self._schedule = teacher.schedule()
        self._rollouts: dict[str, Rollout] = {}
        self._places = {
            group.size: [place for place, pair in enumerate(group.members) if pair in self._rows]
            for group in pairs.groups
        }

    def losses(self, model: nn.Module, rng: random.Random) -> Losses:
        group = self._pairs.draw_group(rng)
        generator, drop = seeded_generator(rng), self._settings.drop
        places = self._places[group.size]
        if rng.random() < len(places) / len(group.members):
            draws = self._pairs.draw_pairs(rng, places, self._settings.unet_batch, drop)
            noisy, steps = self._noise_pictures([group.members[p] for p, _, _ in draws], generator)
            return self._compare(model, group, draws, noisy, steps, generator)[0]
        rollout, every = self._rollout("{}-{}".format(*group.size)), range(len(group.members))
        rollout.restart_finished(
            lambda: self._pairs.draw_pairs(rng, every, 1, drop)[0], rng, generator
        )
        draws, noisy, steps = rollout.draws(), rollout.latents, rollout.timesteps()
        losses, prediction = self._compare(model, group, draws, noisy, steps, generator)
        if self._settings.guidance != 1:
            empty = [(place, layer, True) for place, layer, _ in draws]
            batch = self._pairs.batch(group, empty, self._device)
            with torch.no_grad():
                base = self._teacher.predict(noisy, steps, batch.teacher, batch.pooled)
            prediction = base + self._settings.guidance * (prediction - base)
        rollout.advance(prediction)
        return losses

    def _noise_pictures(
        self, pairs: Sequence[int], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Add noise to the latents of pictures: noisy latents [b C H W], timesteps [b]."""
        clean = torch.from_numpy(self._latents[[self._rows[i] for i in pairs]])
        clean = clean.to(self._device).float()
        n_times = len(self._schedule.alphas_cumprod)
        steps = torch.randint(n_times, (len(pairs),), generator=generator).to(self._device)
        noise = torch.randn(clean.shape, generator=generator).to(self._device)
        return self._schedule.add_noise(clean, noise, steps), steps

    def _rollout(self, name: str) -> Rollout:
        if name not in self._rollouts:
            shape = (self._settings.unet_batch, *self._teacher.latent_shape())
            latents = torch.zeros(shape, device=self._device)
            n_steps = self._settings.denoising_steps
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
        settings, baseline = self._settings, self._baseline
        predict = self._teacher.predict_with_blocks
        batch = self._pairs.batch(group, draws, self._device)
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
            pooled_difference = baseline.pooled_difference(pooled, batch)
            if pooled_difference is not None:
                losses["pooled"] = settings.reads * pooled_difference
        return losses, wanted[0]

    def state(self) -> dict[str, Any]:
        return {name: rollout.state() for name, rollout in self._rollouts.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        for name, values in state.items():
            self._rollout(name).load(values)
