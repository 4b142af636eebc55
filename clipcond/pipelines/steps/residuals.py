"""Keep what a ControlNet gives for each pass, and hand the denoiser that of its own pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clipcond.pipelines.steps.rows import list_tensors


class Residuals:
    """The residuals of the last call of a ControlNet, for each pass."""

    def __init__(self) -> None:
        self._of: list[tuple[Tensor, dict[int, Tensor]]] = []

    def keep(self, output: object, passes: dict[int, Any]) -> None:
        """Keep what the passes gave in the place of each tensor of the output."""
        flat = {n: list_tensors(each) for n, each in passes.items()}
        for i, tensor in enumerate(list_tensors(output)):
            self._of.append((tensor, {n: each[i] for n, each in flat.items()}))

    def of_pass(self, tensor: Tensor, n: int) -> Tensor:
        """Find what a pass gave in the place of a tensor; the tensor itself if none did.

        In guess mode the pipeline puts zeros for the negative before the residuals.
        """
        for own, passes in self._of:
            if n not in passes:
                continue
            if own is tensor:
                return passes[n]
            if tensor.shape == (2 * len(own), *own.shape[1:]) and torch.equal(
                tensor[len(own) :], own
            ):
                return torch.cat([torch.zeros_like(passes[n]), passes[n]])
        return tensor
