"""The Adapter module: a tower's hidden states in, the rows that a UNet reads out."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clipcond.adapters.record import AlignmentRecord
from clipcond.errors import TowerError
from clipcond.towers.base import TowerOutput, fingerprint_of

# Far beyond every published model: a damaged file must not take terabytes or endless layers.
MAX_SIZE = 2**16
MAX_LAYERS = 256
MAX_CHUNKS = 64  # at once: 0.2 GB of activations in a resampler 512 wide
_LEAST_OWN = {"linear": 0, "resampler": 1, "image": 1}  # of its own sizes, by kind


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """Kind and sizes of an adapter.

    Args:
        kind: "linear", "resampler" or "image".
        tower_width: D_tower, the width of the tower's states, or of a picture's embedding.
        width: D, the width of the UNet's cross-attention.
        length: rows per chunk, the context length of the UNet's own tower.
        pooled_width: P, the width of the pooled vector; None if the UNet reads none.
        hidden, heads, layers: its own sizes; 0 for "linear".
    Raises:
        TowerError: a size is out of range.
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
        least = {"tower_width": 1, "width": 1, "length": 1}
        if self.kind in _LEAST_OWN:  # `build_adapter` names another kind
            least |= dict.fromkeys(("hidden", "heads", "layers"), _LEAST_OWN[self.kind])
        least |= {} if self.pooled_width is None else {"pooled_width": 1}
        for name, low in least.items():
            value = getattr(self, name)
            high = 0 if low == 0 else MAX_LAYERS if name == "layers" else MAX_SIZE
            if type(value) is not int or not low <= value <= high:
                expected = f"a whole number from {low} to {high}" if high else "0"
                raise TowerError(f"{name} of a {self.kind!r} adapter is {expected}, not {value!r}")
        if self.heads and self.hidden % self.heads:
            raise TowerError(
                f"hidden={self.hidden} of an adapter cannot be shared among heads={self.heads}",
                "Give a multiple.",
            )


class Adapter(nn.Module, ABC):
    """A trained map from one tower's states into the space that a UNet reads.

    It has no dropout: training and evaluation compute the same.

    Attributes:
        config: kind and sizes.
        record: the towers and UNet it was aligned to; None = unknown.
    """

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        self.record: AlignmentRecord | None = None

    @abstractmethod
    def _map(self, hidden: Tensor, counts: Tensor | None) -> TowerOutput:
        """Map checked states, zero at positions that do not count.

        Args:
            hidden: [n L D_tower], in the adapter's dtype.
            counts: [n L], bool; None = all count.
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
        """Map each chunk's states to the rows that the UNet reads.

        Args:
            hidden: [n L D_tower], after the weighting rule.
            mask: [n L], 1 = the position counts; None = all do. Values at other positions change
                nothing, even if they are NaN. A chunk may have no position that counts.
        Returns:
            hidden [n length D] and pooled [n P] or None, in the adapter's dtype. They need no mask:
            all rows count.
        Raises:
            TowerError: the states have another width, or the mask another shape.
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


class CastAdapter:
    """An adapter for states of any device and dtype: runs a cast copy where it must.

    The adapter itself is left as it is, for casting to float16 and back loses digits. The copy is
    replaced when the states' device or dtype, or the adapter's weights, change.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self._copy: tuple[Hashable, Adapter] | None = None

    def __call__(self, hidden: Tensor, mask: Tensor | None) -> TowerOutput:
        """Apply `Adapter.forward` to [n L D_tower], at most 64 chunks at once to limit memory."""
        adapter = self._cast_to(hidden.device, hidden.dtype)
        split = torch.split(hidden, MAX_CHUNKS)
        masks = [None] * len(split) if mask is None else torch.split(mask, MAX_CHUNKS)
        parts = [adapter(*pair) for pair in zip(split, masks, strict=True)]
        pooled = [part.pooled for part in parts if part.pooled is not None]
        return TowerOutput(
            torch.cat([part.hidden for part in parts]), torch.cat(pooled) if pooled else None
        )

    def _cast_to(self, device: torch.device, dtype: torch.dtype) -> Adapter:
        if (self.adapter.device, self.adapter.dtype) == (device, dtype):
            self._copy = None
            return self.adapter
        key, kept = (fingerprint_of(self.adapter), device, dtype), self._copy
        if kept is None or kept[0] != key:  # read once: another thread may replace it meanwhile
            cast = copy.deepcopy(self.adapter).requires_grad_(False).to(device, dtype)
            cast.zero_grad(set_to_none=True)
            self._copy = kept = (key, cast)
        return kept[1]
