"""Choose the layer of each tower: by clip skip, as the model was trained, or as a caller says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipcond.conditioning.dialect import Dialect
from clipcond.errors import TowerError, counted
from clipcond.towers.base import HiddenLayer, TextTower, check_layer

__all__ = ["ModelReads", "check_layers"]


_LAST = HiddenLayer(1, final_norm=True)


@dataclass(frozen=True, slots=True)
class ModelReads:
    """What a diffusion model was trained to read of its towers.

    Args:
        layer: the layer that clip skip 1 means; a deeper clip skip keeps its choice of the norm.
        pooled: for each tower, whether its pooled vector is read; those that are get joined.
        zero_negative: whether a negative may be zeros, where the dialect has it so.
    """

    layer: HiddenLayer = _LAST
    pooled: tuple[bool, ...] = (False,)
    zero_negative: bool = False

    @classmethod
    def of_towers(cls, n: int) -> ModelReads:
        """Say what Stable Diffusion reads of one tower, or SDXL of two."""
        return cls() if n == 1 else SDXL

    def layers(self, clip_skip: object, towers: Sequence[TextTower]) -> tuple[HiddenLayer, ...]:
        """Make the layers that a clip skip means, as A1111 counts.

        Raises:
            TowerError: it is not a whole number from 1 to the depth of the shallowest tower.
        """
        shallowest = min(towers, key=lambda tower: tower.depth)
        n = clip_skip
        if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= shallowest.depth:
            raise _no_such_layer(n, shallowest.depth, shallowest.name)
        depth = max(self.layer.depth, n)
        return (HiddenLayer(depth, final_norm=self.layer.final_norm),) * len(towers)

    def gives_zeros(self, negatives: Sequence[str] | None, dialect: Dialect) -> bool:
        """Whether these negatives become zeros; None = none is given."""
        is_zero = dialect.zero_negative
        return self.zero_negative and is_zero is not None and is_zero(negatives)

    def pools(self, t: int, towers: Sequence[TextTower]) -> bool:
        """Whether tower t gives the pooled vector, or a part of it; the last if none is read."""
        return self.pooled[t] if any(self.pooled) else t + 1 == len(towers)


# the penultimate layers, not normed
SDXL = ModelReads(HiddenLayer(2, final_norm=False), (False, True), zero_negative=True)


def check_layers(
    layer: HiddenLayer | tuple[HiddenLayer, ...], towers: Sequence[TextTower]
) -> tuple[HiddenLayer, ...]:
    """Make one layer for each tower of a layer, or of a tuple of them.

    Raises:
        TowerError: there are not as many layers as towers, or a tower has no such layer.
    """
    layers = layer if isinstance(layer, tuple) else (layer,) * len(towers)
    if len(layers) != len(towers):
        given, needed = counted(len(layers), "layer"), counted(len(towers), "tower")
        raise TowerError(f"{given} for {needed}")
    for each, tower in zip(layers, towers, strict=True):
        check_layer(each, tower.depth, tower.name)
    return layers


def _no_such_layer(clip_skip: object, depth: int, name: str) -> TowerError:
    """Say that clip_skip is not a whole number from 1 to the tower's `depth`."""
    is_zero = clip_skip == 0 and isinstance(clip_skip, int) and not isinstance(clip_skip, bool)
    return TowerError(
        f"clip_skip={clip_skip!r} names no layer of {name!r}, which has {depth}",
        f"Use a whole number from 1 (last layer) to {depth} (first)."
        + (" What diffusers calls clip_skip=0 is 1 here." if is_zero else ""),
    )
