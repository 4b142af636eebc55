"""Run a Conditioner's adapter: after the weighting rule, before the UNet."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from clipcond.adapters.base import Adapter, CastAdapter
from clipcond.chunking import TokenChunk
from clipcond.conditioning.checks import not_finite, pooled_not_finite
from clipcond.conditioning.plan import Plan
from clipcond.conditioning.results import Conditioning, batched
from clipcond.errors import TowerError, warn
from clipcond.towers.base import HiddenLayer, TextTower, TowerOutput
from clipcond.weighting import Encode


class AdapterStage:
    """One adapter behind one tower.

    Raises:
        TowerError: more than one tower, or one whose hidden states the adapter cannot read.
    """

    def __init__(self, adapter: Adapter, towers: Sequence[TextTower]) -> None:
        self.adapter = adapter
        self._cast = CastAdapter(adapter)
        self._warned: dict[int, object] = {}
        if len(towers) > 1:
            raise TowerError(
                "an adapter reads one tower, and replaces a whole pair: two were given",
                "Leave out tower_2.",
            )
        (tower,), config = towers, adapter.config
        self._name = tower.name
        if tower.width != config.tower_width:
            raise TowerError(
                f"the adapter reads a tower {config.tower_width} wide; {tower.name!r} is "
                f"{tower.width} wide",
                "Use the tower that it was aligned to.",
            )
        adapter.check_context(tower.special.context_length, tower.name)

    def wants_pooled(self, wanted: bool | None) -> bool:
        """Decide whether to give pooled vectors: as wanted; by default if the adapter has any.

        Raises:
            TowerError: they are wanted, and the adapter has none.
        """
        has_pooled = self.adapter.config.pooled_width is not None
        if wanted and not has_pooled:
            raise TowerError(
                "pooled vectors are wanted, and the adapter has none",
                "Leave out pooled=, or take an adapter that was aligned to SDXL.",
            )
        return has_pooled if wanted is None else wanted

    def check_layer(self, layer: HiddenLayer) -> None:
        """Warn once for each layer that the adapter was not aligned at."""
        record = self.adapter.record
        if record is None or layer.depth in record.tower_clip_skips:
            return
        mine = object()
        if self._warned.setdefault(layer.depth, mine) is mine:  # atomic: threads warn once, too
            known = ", ".join(map(str, record.tower_clip_skips)) or "none that is recorded"
            message = f"the adapter was aligned to {self._name!r} at clip skip {known}, not "
            message += f"{layer.depth}: what it makes of that layer was never trained"
            warn(message)

    def of_each(
        self, parts: Sequence[Conditioning], plans: Sequence[Plan], encode: Encode
    ) -> list[Conditioning]:
        """Turn the parts of plans into what the UNet reads, those of one length together."""
        made: dict[int, Conditioning] = {}
        by_length: dict[int, list[int]] = {}
        for i, part in enumerate(parts):
            by_length.setdefault(part.embeds.shape[1], []).append(i)
        for places in by_length.values():
            of_plans = [plans[i] for i in places]
            adapted = self(batched([parts[i] for i in places]), of_plans, encode).split()
            made.update(zip(places, adapted, strict=True))
        return [made[i] for i in range(len(parts))]

    def __call__(self, part: Conditioning, plans: Sequence[Plan], encode: Encode) -> Conditioning:
        """Turn a tower's part of a call into what the UNet reads.

        Args:
            part: embeds [b S D_tower], weights applied, S a multiple of the tower's context L.
            plans: what each row was made from, and the chunk that gives its pooled vector, if any.
            encode: chunks -> the tower's hidden states.
        Returns:
            embeds [b n*length D], n = S / L; pooled [b P] or None; no mask.
        Raises:
            TowerError, WeightingError: the adapter gives NaN or infinite values.
        """
        n_prompts, length = len(part.embeds), encode.special.context_length
        hidden = part.embeds.reshape(-1, length, part.embeds.shape[-1])
        mask = part.attention_mask
        rows = self._cast(hidden, None if mask is None else mask.reshape(-1, length)).hidden
        embeds = rows.reshape(n_prompts, -1, rows.shape[-1])

        def adapted(chunks: Sequence[TokenChunk]) -> TowerOutput:
            """Encode and adapt chunks without weights: rows and pooled vectors."""
            hidden, masks = encode(chunks).hidden, None
            if encode.special.mask_padding:
                rows = [chunk.attention_mask for chunk in chunks]
                masks = torch.tensor(rows, device=hidden.device)
            return self._cast(hidden, masks)

        if not bool(torch.isfinite(embeds).all()):
            raise not_finite(embeds, plans, f"the adapter of {self._name!r}", adapted)
        chosen = [plan.pooled for plan in plans if plan.pooled is not None]
        pooled = adapted(chosen).pooled if chosen else None
        if pooled is not None and not bool(torch.isfinite(pooled).all()):
            own = [plan for plan in plans if plan.pooled is not None]
            raise pooled_not_finite(pooled, own, f"the adapter of {self._name!r}")
        return Conditioning(embeds, pooled)
