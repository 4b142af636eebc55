"""Choose the layer of each tower: by clip skip, or as a caller says."""

from __future__ import annotations

from collections.abc import Sequence

from clipcond.errors import TowerError, counted
from clipcond.towers.base import HiddenLayer, TextTower, check_layer

__all__ = ["check_layers", "skip_layers"]


def skip_layers(clip_skip: object, towers: Sequence[TextTower]) -> tuple[HiddenLayer, ...]:
    """Make the layers that a clip skip means, as A1111 counts.

    Raises:
        TowerError: it is not a whole number from 1 to the depth of the shallowest tower.
    """
    shallowest = min(towers, key=lambda tower: tower.depth)
    n = clip_skip
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= shallowest.depth:
        raise _no_such_layer(n, shallowest.depth, shallowest.name)
    if len(towers) > 1:  # SDXL was trained on the penultimate layers, not normed
        return (HiddenLayer(max(2, n), final_norm=False),) * len(towers)
    return (HiddenLayer(n, final_norm=True),)


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
