"""Say what a diffusion model was trained to read of its towers. Imported without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipcond.conditioning import checks
from clipcond.conditioning.dialect import Dialect
from clipcond.towers.protocol import HiddenLayer, ReadsTexts

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

    def layers(self, clip_skip: object, towers: Sequence[ReadsTexts]) -> tuple[HiddenLayer, ...]:
        """Make the layers that a clip skip means, as A1111 counts.

        Raises:
            TowerError: it is not a whole number from 1 to the depth of the shallowest tower.
        """
        shallowest = min(towers, key=lambda tower: tower.depth)
        n = clip_skip
        if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= shallowest.depth:
            raise checks.no_such_layer(n, shallowest.depth, shallowest.name)
        depth = max(self.layer.depth, n)
        return (HiddenLayer(depth, final_norm=self.layer.final_norm),) * len(towers)

    def gives_zeros(self, negatives: Sequence[str] | None, dialect: Dialect) -> bool:
        """Whether a negative becomes zeros: what each tower reads; None = none is given."""
        is_zero = dialect.zero_negative
        return self.zero_negative and is_zero is not None and is_zero(negatives)

    def pools(self, t: int, towers: Sequence[ReadsTexts]) -> bool:
        """Whether tower t gives the pooled vector, or a part of it; the last if none is read."""
        return self.pooled[t] if any(self.pooled) else t + 1 == len(towers)


# the penultimate layers, not normed
SDXL = ModelReads(HiddenLayer(2, final_norm=False), (False, True), zero_negative=True)
