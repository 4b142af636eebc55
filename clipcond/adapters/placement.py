"""An adapter wherever a tower's states are: it follows their device and dtype, by a copy."""

from __future__ import annotations

import copy
from collections.abc import Hashable

import torch
from torch import Tensor

from clipcond.adapters.base import Adapter
from clipcond.towers.base import TowerOutput
from clipcond.towers.fingerprint import state_key

__all__ = ["PlacedAdapter"]

MAX_CHUNKS = 64  # at once: 0.2 GB of activations in a resampler 512 wide


class PlacedAdapter:
    """Runs an adapter on states of any device and dtype, and leaves the adapter itself as it is.

    Casting to float16 and back loses digits, so what is cast is a copy. It is made anew when the
    states come from elsewhere, or the adapter's weights have changed.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self._copy: tuple[Hashable, Adapter] | None = None

    def __call__(self, hidden: Tensor, mask: Tensor | None) -> TowerOutput:
        """`Adapter.forward` on [n L D_tower], so many chunks at once as memory allows."""
        adapter = self._at(hidden.device, hidden.dtype)
        masks = [None] * len(hidden) if mask is None else mask.split(MAX_CHUNKS)
        parts = [adapter(*pair) for pair in zip(hidden.split(MAX_CHUNKS), masks, strict=False)]
        pooled = [part.pooled for part in parts if part.pooled is not None]
        return TowerOutput(
            torch.cat([part.hidden for part in parts]), torch.cat(pooled) if pooled else None
        )

    def _at(self, device: torch.device, dtype: torch.dtype) -> Adapter:
        if (self.adapter.device, self.adapter.dtype) == (device, dtype):
            self._copy = None
            return self.adapter
        key = (state_key(self.adapter), device, dtype)
        if self._copy is None or self._copy[0] != key:
            placed = copy.deepcopy(self.adapter).requires_grad_(False).to(device, dtype)
            placed.zero_grad(set_to_none=True)
            self._copy = (key, placed)
        return self._copy[1]
