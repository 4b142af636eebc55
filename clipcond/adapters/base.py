"""What every adapter is: a tower's states with their mask in, a UNet's rows out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clipcond.adapters.record import AlignmentRecord
from clipcond.errors import TowerError
from clipcond.towers.base import TowerOutput

__all__ = ["Adapter", "AdapterConfig"]

# Far beyond every published model; a damaged file must not ask for terabytes or endless layers.
MAX_SIZE = 2**16
MAX_LAYERS = 256


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """Kind and sizes of an adapter.

    Args:
        kind: "linear" or "resampler".
        tower_width: D_tower, of the states it reads.
        width: D, of the UNet's cross-attention.
        length: rows handed on for every chunk, the context length of the UNet's own tower.
        pooled_width: P, of the pooled vector; None where the UNet reads none.
        hidden, heads, layers: a resampler's own sizes; 0 for "linear".
    Raises:
        TowerError: a size that no adapter has.
    """

    kind: str
    tower_width: int
    width: int
    length: int
    pooled_width: int | None = None
    hidden: int = 0
    heads: int = 0
    layers: int = 0

    def __post_init__(self) -> None:
        is_linear = self.kind == "linear"
        least = {"tower_width": 1, "width": 1, "length": 1}
        least |= dict.fromkeys(("hidden", "heads", "layers"), 0 if is_linear else 1)
        least |= {} if self.pooled_width is None else {"pooled_width": 1}
        for name, low in least.items():
            value = getattr(self, name)
            high = 0 if low == 0 else MAX_LAYERS if name == "layers" else MAX_SIZE
            if type(value) is not int or not low <= value <= high:
                expected = f"a whole number from {low} to {high}" if high else "0"
                raise TowerError(f"{name} of a {self.kind!r} adapter is {expected}, not {value!r}")
        if not is_linear and self.hidden % self.heads:
            raise TowerError(
                f"hidden={self.hidden} of an adapter cannot be shared among heads={self.heads}",
                "Give a multiple.",
            )


class Adapter(nn.Module, ABC):
    """A trained map from one tower's states into the space that a UNet reads.

    It has no dropout: training and evaluation compute alike.

    Attributes:
        config: kind and sizes.
        record: what it was aligned to; None = nothing that is known.
    """

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        self.record: AlignmentRecord | None = None

    @abstractmethod
    def _map(self, hidden: Tensor, counts: Tensor | None) -> TowerOutput:
        """`forward` on states that are checked, in the adapter's dtype, zero where nothing counts.

        Args:
            hidden: [n L D_tower].
            counts: [n L], bool.
        """

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def check_context(self, context_length: int, name: str) -> None:
        """Refuse a tower whose chunks are too long for this kind of adapter.

        Raises:
            TowerError: says what to do.
        """

    def forward(self, hidden: Tensor, mask: Tensor | None = None) -> TowerOutput:
        """Every chunk by itself: its tower states to the rows that the UNet reads.

        Args:
            hidden: [n L D_tower], after the weighting rule.
            mask: [n L], 1 = the position counts; None = all do. What stands at positions that do
                not count changes nothing, not even by being NaN; a chunk may have no others.
        Returns:
            hidden [n length D] and pooled [n P] or None, in the adapter's dtype. No mask belongs to
            them: all rows count.
        Raises:
            TowerError: states of another width, or a mask of another shape.
        """
        config = self.config
        if hidden.dim() != 3 or hidden.shape[-1] != config.tower_width:
            raise TowerError(
                f"the adapter reads states [n L {config.tower_width}], not {list(hidden.shape)}"
            )
        if mask is not None and mask.shape != hidden.shape[:2]:
            raise TowerError(
                f"the mask of states {list(hidden.shape)} is {list(hidden.shape[:2])}, not "
                f"{list(mask.shape)}"
            )
        counts = None if mask is None else mask.to(hidden.device) != 0
        if counts is not None:
            hidden = hidden.masked_fill(~counts.unsqueeze(-1), 0.0)
        return self._map(hidden.to(self.dtype), counts)
