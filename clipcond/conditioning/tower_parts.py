"""Encode one tower's plans and weigh them; measure what weights do to their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch

from clipcond.conditioning import results
from clipcond.conditioning.adapter_stage import AdapterStage
from clipcond.conditioning.cache import ChunkCache, ChunkEncoder, ChunkKey
from clipcond.conditioning.movement import MeasuredRows, measure_rows
from clipcond.conditioning.plan import Plan
from clipcond.conditioning.results import Conditioning
from clipcond.towers.base import HiddenLayer, TextTower
from clipcond.weighting import WEIGHTINGS, Rule


@dataclass(frozen=True, slots=True)
class TowerParts:
    """What makes a tower's part of conditionings: rule, cache, and the adapter if there is one."""

    rule: Rule
    cache: ChunkCache
    stage: AdapterStage | None

    def __call__(
        self,
        plans: Sequence[Plan],
        layer: HiddenLayer,
        lengths: Mapping[ChunkKey, int],
        *,
        is_joined: bool,
    ) -> list[Conditioning]:
        """Encode one tower's plans, apply the rule, and the adapter if there is one.

        Args:
            lengths: how many positions of which chunks are handed on, see `wanted_lengths`.
            is_joined: whether the results are copied when they are joined.
        """
        if self.stage is not None:
            self.stage.check_layer(layer)
        # rules of others may write into what they get, and do not say so
        is_ours = self.rule in WEIGHTINGS.values()
        encode = self._encoder(plans[0], layer, lengths, copies=not is_joined or not is_ours)
        parts = results.weigh(plans, self.rule, encode, plans[0].cutter.tower.name)
        return parts if self.stage is None else self.stage.of_each(parts, plans, encode)

    def measure(
        self, plans: Sequence[Sequence[Plan]], layers: Sequence[HiddenLayer]
    ) -> list[list[MeasuredRows]]:
        """Measure the rows of plans, one a tower, of a prompt and of its negative."""
        columns = []
        with torch.inference_mode(False), torch.no_grad():
            for own, layer in zip(zip(*plans, strict=True), layers, strict=True):
                encode = self._encoder(own[0], layer, {}, copies=True)
                parts = results.weigh(own, self.rule, encode, own[0].cutter.tower.name)
                made = parts if self.stage is None else self.stage.of_each(parts, own, encode)
                measured = zip(own, parts, made, strict=True)
                columns.append(
                    [
                        measure_rows(plan, self.rule, encode, part.embeds[0], result)
                        for plan, part, result in measured
                    ]
                )
        return [list(row) for row in zip(*columns, strict=True)]

    def _encoder(
        self, plan: Plan, layer: HiddenLayer, lengths: Mapping[ChunkKey, int], *, copies: bool
    ) -> ChunkEncoder:
        cutter = plan.cutter
        return ChunkEncoder(
            *(cast(TextTower, cutter.tower), cutter.special, layer, self.cache),
            pooled=self.stage is None and cutter.pooled,
            lengths=lengths,
            gives_copies=copies or self.stage is not None,
        )
