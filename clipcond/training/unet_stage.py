"""Train an adapter through the frozen UNet, which sees the same latents with both towers' embeds.

Losses: the mean square difference of its predictions, and of its blocks' outputs. The losses of the
text stage are kept at the same pairs: the gradient of a few predictions is so noisy that what was
learned from text would be forgotten.
Source: PEA-Diffusion (ECCV 2024), which adds 0.1 of the blocks' differences.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.training.cross_attention import compare_attention
from clipcond.training.loop import Losses, Objective
from clipcond.training.measures import Baseline, mean_squares
from clipcond.training.pair_encoding import Batch, EncodedPairs, Group
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
        generator = seeded_generator(rng)
        places = self._places[group.size]
        if rng.random() < len(places) / len(group.members):
            return self._losses_of_pictures(model, group, places, rng, generator)
        return self._losses_of_rollout(model, group, rng, generator)

    def _losses_of_pictures(
        self,
        model: nn.Module,
        group: Group,
        places: list[int],
        rng: random.Random,
        generator: torch.Generator,
    ) -> Losses:
        settings, n = self._settings, self._settings.unet_batch
        draws = self._pairs.draw_pairs(rng, places, n, settings.drop)
        batch = self._pairs.batch(group, draws, self._device)
        rows = [self._rows[group.members[place]] for place, _, _ in draws]
        clean = torch.from_numpy(self._latents[rows]).to(self._device).float()
        n_times = len(self._schedule.alphas_cumprod)
        steps = torch.randint(n_times, (n,), generator=generator).to(self._device)
        noise = torch.randn(clean.shape, generator=generator).to(self._device)
        noisy = self._schedule.add_noise(clean, noise, steps)
        return self._compare(model, batch, noisy, steps, generator)[0]

    def _losses_of_rollout(
        self, model: nn.Module, group: Group, rng: random.Random, generator: torch.Generator
    ) -> Losses:
        settings, places = self._settings, range(len(group.members))
        rollout = self._rollout("{}-{}".format(*group.size))
        rollout.restart_finished(
            lambda: self._pairs.draw_pairs(rng, places, 1, settings.drop)[0], rng, generator
        )
        draws, steps = [slot.draw for slot in rollout.slots], rollout.timesteps()
        batch = self._pairs.batch(group, draws, self._device)
        losses, prediction = self._compare(model, batch, rollout.latents, steps, generator)
        if settings.guidance != 1:
            empty = [(place, layer, True) for place, layer, _ in draws]
            batch = self._pairs.batch(group, empty, self._device)
            with torch.no_grad():
                base = self._teacher.predict(rollout.latents, steps, batch.teacher, batch.pooled)
            prediction = base + settings.guidance * (prediction - base)
        rollout.advance(prediction)
        return losses

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
        batch: Batch,
        noisy: Tensor,
        steps: Tensor,
        generator: torch.Generator,
    ) -> tuple[Losses, Tensor]:
        """Losses, and the teacher's prediction."""
        settings, baseline = self._settings, self._baseline
        predict = self._teacher.predict_with_blocks
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
