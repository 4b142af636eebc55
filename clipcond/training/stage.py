"""Define one stage of a training: its steps, learning rates, optimizer and objective."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.training.muon import BETAS, Muon, decay_groups

Losses = dict[str, Tensor]
WARMUP = 100  # steps of rising learning rate
LAST = 0.02  # share of the peak that the learning rate falls to


class Objective(ABC):
    """What a stage minimises; `state` is what its next step depends on besides the weights."""

    @abstractmethod
    def losses(self, model: nn.Module, rng: random.Random) -> Losses:
        """Draw a batch and compute the losses whose sum is minimised."""

    def state(self) -> dict[str, Any]:
        """List what a checkpoint needs to go on, besides weights; see `load`."""
        return {}

    def load(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Go on from what `state` gave."""


@dataclass(frozen=True, slots=True)
class Stage:
    """`steps` steps with learning rate `lr` at its peak.

    Args:
        has_muon: use Muon for the matrices of linear layers, AdamW for all else.
    """

    name: str
    steps: int
    lr: float
    weight_decay: float = 0.01
    has_muon: bool = False

    def rate(self, step: int) -> float:
        """Compute the learning rate: linear warm-up, then half a cosine."""
        warmup = min(WARMUP, self.steps // 10)
        if step < warmup:
            return self.lr * (step + 1) / warmup
        done = (step - warmup) / max(1, self.steps - warmup)
        return self.lr * (LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Make the optimizer of the parameters that need gradients: Muon or AdamW."""
        if self.has_muon:
            return Muon(model, self.lr, self.weight_decay)
        groups = decay_groups(model.parameters(), self.weight_decay)
        return torch.optim.AdamW(groups, lr=self.lr, betas=BETAS)
