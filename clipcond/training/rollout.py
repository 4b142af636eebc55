"""Noisy latents that the teacher itself would meet: its own denoising, one step at a time.

Noise alone is what a UNet sees at the first step only. Here every slot of a batch is on its way
from noise to a picture of its prompt; the teacher's prediction, which is needed as the target
anyway, also takes the slot one step further, so these latents cost no run of the UNet. A slot that
has arrived begins anew with another prompt.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Rolling", "Slots", "as_state", "from_state"]


@dataclass(slots=True)
class Slots:
    """Where b slots are.

    Args:
        latents: [b C H W].
        done: steps each has taken, of the `ends` it takes.
        offsets: of its times, as a share of a step; -1 = not begun yet.
        places, layers, dropped: its prompt.
    """

    latents: Tensor
    done: list[int]
    ends: list[int]
    offsets: list[float]
    places: list[int]
    layers: list[int]
    dropped: list[bool]


class Rolling:
    """Slots on their way; `schedule` is a diffusers scheduler with alphas_cumprod.

    Args:
        n_steps: from noise to picture.
    """

    def __init__(self, schedule: Any, n_steps: int) -> None:
        self.alphas: Tensor = schedule.alphas_cumprod.float()
        self._kind = str(schedule.config.prediction_type)
        self._n_steps = n_steps

    def fresh(self, n: int, latents: Tensor) -> Slots:
        """`n` slots that have yet to begin, with latents like these [C H W]."""
        zeros = [0] * n
        return Slots(
            latents=latents.expand(n, -1, -1, -1).clone(),
            done=zeros,
            ends=zeros.copy(),
            offsets=[-1.0] * n,
            places=zeros.copy(),
            layers=zeros.copy(),
            dropped=[False] * n,
        )

    def arrived(self, slots: Slots) -> list[int]:
        """The slots to begin anew."""
        ways = zip(slots.done, slots.ends, strict=True)
        return [i for i, (done, end) in enumerate(ways) if done >= end]

    def begin(self, slots: Slots, i: int, rng: random.Random, generator: torch.Generator) -> None:
        """Slot i is noise again.

        The first ways end early, each elsewhere: afterwards the slots of a batch stand at all
        places between noise and picture.
        """
        shape = slots.latents.shape[1:]
        slots.latents[i] = torch.randn(shape, generator=generator).to(slots.latents)
        is_first = slots.offsets[i] < 0
        slots.ends[i] = i % self._n_steps + 1 if is_first else self._n_steps
        slots.done[i], slots.offsets[i] = 0, rng.random()

    def times(self, slots: Slots) -> Tensor:
        """Each slot's timestep [b]."""
        times = [self._time(k, o) for k, o in zip(slots.done, slots.offsets, strict=True)]
        return torch.tensor(times, device=slots.latents.device)

    def advance(self, slots: Slots, prediction: Tensor) -> None:
        """Take each slot one DDIM step further (Song et al. 2021), without added noise."""
        device = prediction.device
        now = self._signal([self._time(k, o) for k, o in _ways(slots)], device)
        after = self._signal([self._time(k + 1, o) for k, o in _ways(slots)], device)
        clean, noise = self._parts(slots.latents, prediction, now)
        slots.latents = after.sqrt() * clean + (1 - after).sqrt() * noise
        slots.done = [done + 1 for done in slots.done]

    def noised(self, clean: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        """Clean latents with noise, as at these timesteps [b]."""
        signal = self._signal(steps.tolist(), clean.device)
        return signal.sqrt() * clean + (1 - signal).sqrt() * noise

    def _time(self, done: int, offset: float) -> int:
        """The first step is at the very end of the schedule; later ones lie anywhere between."""
        total = len(self.alphas)
        share = (done - (offset if done else 0.0)) / self._n_steps
        return max(-1, round(total * (1 - share)) - 1)

    def _signal(self, times: list[int], device: torch.device) -> Tensor:
        """The share of signal at timesteps, [b 1 1 1]; all of it before the first."""
        values = [1.0 if time < 0 else float(self.alphas[int(time)]) for time in times]
        return torch.tensor(values, device=device).view(-1, 1, 1, 1)

    def _parts(self, noisy: Tensor, prediction: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Clean latents and noise, out of what was predicted of them."""
        a, b = signal.sqrt(), (1 - signal).sqrt()
        if self._kind == "v_prediction":
            return a * noisy - b * prediction, a * prediction + b * noisy
        if self._kind == "sample":
            return prediction, (noisy - a * prediction) / b.clamp(min=1e-3)
        return (noisy - b * prediction) / a.clamp(min=1e-3), prediction


def _ways(slots: Slots) -> list[tuple[int, float]]:
    return list(zip(slots.done, slots.offsets, strict=True))


def as_state(slots: Slots) -> dict[str, Any]:
    """For a checkpoint."""
    return {name: getattr(slots, name) for name in Slots.__slots__} | {
        "latents": slots.latents.cpu()  # it goes to the main process, and is not of its device
    }


def from_state(state: Mapping[str, Any], device: torch.device) -> Slots:
    """What `as_state` gave."""
    return Slots(**{**state, "latents": state["latents"].to(device)})
