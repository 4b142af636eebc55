"""The linear adapter, a baseline: one matrix for every token."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from clipcond.adapters.base import Adapter, AdapterConfig
from clipcond.errors import TowerError
from clipcond.towers.base import TowerOutput


class LinearAdapter(Adapter):
    """Row i is W times the state of token i, plus a learned vector of that row.

    Rows of padding, and rows after the tower's context, are that vector alone. The pooled vector is
    a linear map of the mean of the states that count.
    """

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__(config)
        self.to_rows = nn.Linear(config.tower_width, config.width, bias=False)
        self.rows = nn.Parameter(torch.zeros(config.length, config.width))
        self.to_pooled = None
        if config.pooled_width is not None:
            self.to_pooled = nn.Linear(config.tower_width, config.pooled_width)

    def check_context(self, context_length: int, name: str) -> None:
        if context_length > self.config.length:
            raise TowerError(
                f"a linear adapter hands on {self.config.length} rows, one a token, but chunks of "
                f"{name!r} have {context_length}",
                f"Give the tower context_length={self.config.length}, or take a resampler.",
            )

    def _map(self, hidden: Tensor, counts: Tensor | None) -> TowerOutput:
        n_tokens = hidden.shape[1]
        self.check_context(n_tokens, "the tower")
        rows = pad(self.to_rows(hidden), (0, 0, 0, self.config.length - n_tokens)) + self.rows
        if self.to_pooled is None:
            return TowerOutput(rows)
        n_counted = n_tokens if counts is None else counts.sum(-1, keepdim=True).clamp(min=1)
        return TowerOutput(rows, self.to_pooled(hidden.sum(1) / n_counted))
