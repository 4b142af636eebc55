"""Measure what weights do to the rows of a prompt, by encoding it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch

from clipcond.conditioning import results
from clipcond.conditioning.adapter_stage import AdapterStage
from clipcond.conditioning.cache import ChunkEncoder
from clipcond.conditioning.movement import MeasuredRows, measure_rows
from clipcond.conditioning.plan import Plan
from clipcond.towers.base import HiddenLayer
from clipcond.weighting import Rule


class MeasuresRows:
    """A mixin for a Conditioner: how long rows are, and how far weights move them."""

    rule: Rule
    _adapter_stage: AdapterStage | None

    @abstractmethod
    def layers(self, clip_skip: int | None = None) -> tuple[HiddenLayer, ...]:
        """Choose each tower's layer."""

    @abstractmethod
    def _encoder(
        self, plan: Plan, layer: HiddenLayer, lengths: results.Lengths, *, copies: bool
    ) -> ChunkEncoder: ...

    def _measure(self, plans: Sequence[Sequence[Plan]]) -> list[list[MeasuredRows]]:
        """Measure the rows of plans, one a tower, of a prompt and of its negative."""
        columns, stage = [], self._adapter_stage
        with torch.inference_mode(False), torch.no_grad():
            for own, layer in zip(zip(*plans, strict=True), self.layers(), strict=True):
                encode = self._encoder(own[0], layer, {}, copies=True)
                parts = results.weigh(own, self.rule, encode, own[0].cutter.tower.name)
                made = parts if stage is None else stage.of_each(parts, own, encode)
                measured = zip(own, parts, made, strict=True)
                columns.append(
                    [
                        measure_rows(plan, self.rule, encode, part.embeds[0], result)
                        for plan, part, result in measured
                    ]
                )
        return [list(row) for row in zip(*columns, strict=True)]
