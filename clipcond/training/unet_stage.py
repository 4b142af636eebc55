"""The second stage: the frozen UNet sees the same noisy latents with both towers' conditions.

Losses: the mean square difference of its predictions, and of what its blocks give on the way. What
the first stage matched, reads and pooled vectors, is matched beside them at the same pairs: the
gradient of a few predictions is so noisy that things learned from text would be forgotten.
Source: PEA-Diffusion (ECCV 2024), which adds 0.1 of the blocks' differences.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.training.cross_attention import Layer
from clipcond.training.encoded_pairs import Batch, Group, States
from clipcond.training.loop import Losses
from clipcond.training.rollout import Rolling, Slots, as_state, from_state
from clipcond.training.settings import AlignSettings
from clipcond.training.teacher import Teacher
from clipcond.training.text_stage import Pooled, Reads, first_chunks, generator_of, student_rows

__all__ = ["Seen", "UnetObjective", "look"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One run of the UNet: its prediction [b C H W], and what each block gives."""

    prediction: Tensor
    blocks: tuple[Tensor, ...]

    def apart(self, other: Seen) -> tuple[Tensor, list[Tensor]]:
        """Mean square differences: of the predictions, and of each block."""
        pairs = zip(self.blocks, other.blocks, strict=True)
        return (
            (self.prediction - other.prediction).square().mean(),
            [(a.float() - b.float()).square().mean() for a, b in pairs],
        )


def look(
    teacher: Teacher, noisy: Tensor, steps: Tensor, embeds: Tensor, pooled: Tensor | None
) -> Seen:
    """Run the UNet once and collect what its blocks give."""
    unet = teacher.unet
    with _outputs([*unet.down_blocks, unet.mid_block, *unet.up_blocks]) as outputs:
        prediction = teacher.predict(noisy, steps, embeds, pooled)
    return Seen(prediction, tuple(outputs))


class UnetObjective:
    """Distillation through the UNet; the slots on their way are its state.

    Args:
        layers, pooled: what reads the conditions, and the scale of pooled vectors, or None.
        scales: what differs in the prediction, and in each block, with the mean of all prompts: a
            loss of 1 is that of a condition which is the same for all.
        images: clean latents by pair, or None for the teacher's own.
    """

    def __init__(
        self,
        teacher: Teacher,
        states: States,
        settings: AlignSettings,
        layers: Sequence[Layer],
        pooled: Pooled | None,
        scales: tuple[float, Sequence[float]],
        images: Mapping[int, Tensor] | None,
        device: torch.device,
    ) -> None:
        self._teacher, self._states, self._settings = teacher, states, settings
        self._layers, self._pooled, self._scales = layers, pooled, scales
        self._images, self._device = images or {}, device
        self._rolling = Rolling(teacher.schedule(), settings.denoising_steps)
        self._n_times = len(self._rolling.alphas)
        self._slots: dict[str, Slots] = {}
        self._pictured = {
            group.size: [p for p, member in enumerate(group.members) if member in self._images]
            for group in states.groups
        }

    def losses(self, model: nn.Module, rng: random.Random, step: int) -> Losses:
        groups = self._states.groups
        (group,) = rng.choices(groups, weights=[len(g.members) for g in groups])
        generator = generator_of(rng)
        pictured = self._pictured[group.size]
        if rng.random() < len(pictured) / len(group.members):
            return self._from_pictures(model, group, pictured, rng, generator)
        return self._on_the_way(model, group, rng, generator)

    def _from_pictures(
        self,
        model: nn.Module,
        group: Group,
        pictured: Sequence[int],
        rng: random.Random,
        generator: torch.Generator,
    ) -> Losses:
        settings, n = self._settings, self._settings.unet_batch
        places = [rng.choice(pictured) for _ in range(n)]
        layers = [rng.randrange(len(settings.clip_skips)) for _ in range(n)]
        dropped = [rng.random() < settings.drop for _ in range(n)]
        batch = self._states.batch(group, places, layers, dropped, self._device)
        clean = torch.stack([self._images[group.members[p]] for p in places]).to(self._device)
        steps = torch.randint(self._n_times, (n,), generator=generator).to(self._device)
        noise = torch.randn(clean.shape, generator=generator).to(self._device)
        noisy = self._rolling.noised(clean.float(), noise, steps)
        return self._compared(model, batch, noisy, steps, generator)[0]

    def _on_the_way(
        self, model: nn.Module, group: Group, rng: random.Random, generator: torch.Generator
    ) -> Losses:
        settings, rolling = self._settings, self._rolling
        name = "{}-{}".format(*group.size)
        if name not in self._slots:
            blank = torch.zeros(self._teacher.latent_shape(), device=self._device)
            self._slots[name] = rolling.fresh(settings.unet_batch, blank)
        slots = self._slots[name]
        for i in rolling.arrived(slots):
            rolling.begin(slots, i, rng, generator)
            slots.places[i] = rng.randrange(len(group.members))
            slots.layers[i] = rng.randrange(len(settings.clip_skips))
            slots.dropped[i] = rng.random() < settings.drop
        batch = self._states.batch(group, slots.places, slots.layers, slots.dropped, self._device)
        steps = rolling.times(slots)
        losses, prediction = self._compared(model, batch, slots.latents, steps, generator)
        if settings.guidance != 1:
            prediction = self._guided(group, slots, steps, prediction)
        rolling.advance(slots, prediction)
        return losses

    @torch.no_grad()
    def _guided(self, group: Group, slots: Slots, steps: Tensor, prediction: Tensor) -> Tensor:
        n = len(slots.places)
        empty = self._states.batch(group, slots.places, slots.layers, [True] * n, self._device)
        base = self._teacher.predict(slots.latents, steps, empty.teacher, empty.pooled)
        return base + self._settings.guidance * (prediction - base)

    def _compared(
        self,
        model: nn.Module,
        batch: Batch,
        noisy: Tensor,
        steps: Tensor,
        generator: torch.Generator,
    ) -> tuple[Losses, Tensor]:
        """Losses, and the teacher's prediction."""
        with torch.no_grad():
            wanted = look(self._teacher, noisy, steps, batch.teacher, batch.pooled)
        output = model(batch.hidden, batch.mask)
        student, pooled = student_rows(output, batch), output.pooled
        if pooled is not None:
            pooled = first_chunks(pooled.float(), batch)
        found = look(self._teacher, noisy, steps, student, pooled)
        prediction, blocks = found.apart(wanted)
        losses = {"noise": prediction / self._scales[0]}
        if self._settings.features:
            scaled = [b / s for b, s in zip(blocks, self._scales[1], strict=True)]
            losses["features"] = self._settings.features * torch.stack(scaled).mean()
        if self._settings.reads:
            reads = Reads.of(self._layers, student, batch, generator)
            losses["read"] = self._settings.reads * reads.apart
            if self._pooled is not None and pooled is not None and batch.pooled is not None:
                apart = self._pooled.matched(pooled, batch.pooled)
                losses["pooled"] = self._settings.reads * apart
        return losses, wanted.prediction

    def state(self) -> dict[str, Any]:
        return {name: as_state(slots) for name, slots in self._slots.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        self._slots = {name: from_state(slots, self._device) for name, slots in state.items()}


@contextmanager
def _outputs(blocks: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """What blocks give in the forward run inside, in the order in which they run."""
    seen: list[Tensor] = []

    def after(_: Any, __: Any, result: Any) -> None:
        seen.append(result[0] if isinstance(result, tuple) else result)

    handles = [block.register_forward_hook(after) for block in blocks if block is not None]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
