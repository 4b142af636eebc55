"""Make noisy latents that the teacher itself would meet: its own denoising, one step at a time.

Noise alone is what a UNet meets at the first step only. Here every slot of a batch is somewhere
between noise and a picture of its prompt; the teacher's prediction, which is needed as the target
anyway, also takes the slot one step further, so these latents cost no run of the UNet. A slot that
has reached its picture starts again with another prompt.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from clipcond.pipelines.protocols import Scheduler
from clipcond.training.pair_encoding import Draw


@dataclass(slots=True)
class DenoisingSlot:
    """The place of one latent between noise and picture.

    Args:
        done, end: steps taken, and the number after which it starts again.
        offset: shift of its timesteps, as a share of a step.
        draw: its prompt.
    """

    done: int = 0
    end: int = 0
    offset: float = 0.0
    draw: Draw = (0, 0, False)


class Rollout:
    """The slots of one batch, moved by DDIM (Song et al. 2021) without added noise.

    Args:
        schedule: a diffusers scheduler with alphas_cumprod.
        n_steps: from noise to picture.
        latents: zeros [b C H W], on the device.
    """

    def __init__(self, schedule: Scheduler, n_steps: int, latents: Tensor) -> None:
        self._prediction_type = str(schedule.config.prediction_type)
        # at index -1, behind the last step, all is signal
        self._signals: list[float] = [*schedule.alphas_cumprod.float().tolist(), 1.0]
        self._n_steps = n_steps
        self.latents = latents
        self.slots = [DenoisingSlot() for _ in range(len(latents))]

    def restart_finished(
        self, draw: Callable[[], Draw], rng: random.Random, generator: torch.Generator
    ) -> None:
        """Make the slots that are at their end noise again, each with another prompt.

        The first rounds end early, each after another number of steps: from then on the slots are
        spread over all places between noise and picture.
        """
        for i, slot in enumerate(self.slots):
            if slot.done >= slot.end:
                noise = torch.randn(self.latents.shape[1:], generator=generator)
                self.latents[i] = noise.to(self.latents)
                slot.end = self._n_steps if slot.end else i % self._n_steps + 1
                slot.done, slot.offset = 0, rng.random()
                slot.draw = draw()

    def draws(self) -> list[Draw]:
        """List each slot's prompt."""
        return [slot.draw for slot in self.slots]

    def timesteps(self) -> Tensor:
        """Compute each slot's timestep [b]."""
        return torch.tensor([self._timestep(slot) for slot in self.slots]).to(self.latents.device)

    def advance(self, prediction: Tensor) -> None:
        """Take each slot one step further, by the UNet's prediction [b C H W]."""
        before = self._signal()
        for slot in self.slots:
            slot.done += 1
        after = self._signal()
        clean, noise = self._split(self.latents, prediction, before)
        self.latents = after.sqrt() * clean + (1 - after).sqrt() * noise

    def _timestep(self, slot: DenoisingSlot) -> int:
        """Compute a timestep; the first is the schedule's last, the others are shifted."""
        total = len(self._signals) - 1
        share = (slot.done - (slot.offset if slot.done else 0.0)) / self._n_steps
        return max(-1, round(total * (1 - share)) - 1)

    def _signal(self) -> Tensor:
        """Look up the share of signal in each slot, [b 1 1 1]."""
        values = [self._signals[self._timestep(slot)] for slot in self.slots]
        return torch.tensor(values, device=self.latents.device).view(-1, 1, 1, 1)

    def _split(self, noisy: Tensor, prediction: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Split noisy latents into clean ones and noise, as predicted."""
        a, b = signal.sqrt(), (1 - signal).sqrt()
        if self._prediction_type == "v_prediction":
            return a * noisy - b * prediction, a * prediction + b * noisy
        if self._prediction_type == "sample":
            return prediction, (noisy - a * prediction) / b.clamp(min=1e-3)
        return (noisy - b * prediction) / a.clamp(min=1e-3), prediction

    def state(self) -> dict[str, Any]:
        """Collect plain values for a checkpoint, on the CPU for the main process to write."""
        return {"latents": self.latents.cpu(), "slots": [asdict(slot) for slot in self.slots]}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.latents = state["latents"].to(self.latents.device)
        self.slots = [DenoisingSlot(**values) for values in state["slots"]]
