"""The resampler: learned queries read a chunk and write the rows of another tower's chunk."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clipcond.adapters.base import Adapter, AdapterConfig
from clipcond.adapters.blocks import ReadingBlock, RowBlock
from clipcond.towers.base import TowerOutput


class ResamplerAdapter(Adapter):
    """One learned query per row; blocks attend to the tower's states, then among rows, then an MLP.

    Languages differ in the number and order of tokens, so no row belongs to a token: each query
    searches the chunk. Keys come from normed states after a block of self-attention, because the
    role of a token in its sentence ("the one on the left") is hardly visible in its own state.
    Values are the states themselves: weights scale attention values, not keys.

    CLIP's row 0 has norms 1.5 times those of the others, and its padding rows carry much of the
    prompt: every row has its own scale and bias after the output matrix.

    Sources: learned queries as in MuLan (arXiv 2412.01271) and Perceiver (arXiv 2103.03206),
    initialised as in IP-Adapter's Resampler; refined tokens as in HunyuanVideo (arXiv 2412.03603);
    norms of CLIP-L's rows from GlueGen (arXiv 2303.10056).
    """

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__(config)
        n_queries = config.length + (config.pooled_width is not None)
        self.queries = nn.Parameter(torch.randn(n_queries, config.hidden) / config.hidden**0.5)
        self.state_norm = nn.LayerNorm(config.tower_width)
        self.to_keys = nn.Linear(config.tower_width, config.hidden)
        self.refiner = RowBlock(config)
        self.key_norm = nn.LayerNorm(config.hidden)
        self.blocks = nn.ModuleList(
            ReadingBlock(config, config.tower_width) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.hidden)
        self.to_rows = nn.Linear(config.hidden, config.width, bias=False)
        self.row_scale = nn.Parameter(torch.ones(config.length, 1))
        self.row_bias = nn.Parameter(torch.zeros(config.length, config.width))
        self.to_pooled = None
        if config.pooled_width is not None:
            self.to_pooled = nn.Linear(config.hidden, config.pooled_width)

    def _map(self, hidden: Tensor, counts: Tensor | None) -> TowerOutput:
        visible = None
        if counts is not None:
            # a chunk in which no position counts is all zeros; all are visible, else softmax is NaN
            visible = counts | ~counts.any(-1, keepdim=True)
            visible = visible[:, None, None]  # [n heads queries L]
        tokens = self.refiner(self.to_keys(self.state_norm(hidden)), visible)
        keys = self.key_norm(tokens)
        rows = self.queries.expand(len(hidden), -1, -1)
        for block in self.blocks:
            rows = block(rows, keys, hidden, visible)
        rows = self.norm(rows)
        pooled = None if self.to_pooled is None else self.to_pooled(rows[:, -1])
        rows = self.to_rows(rows[:, : self.config.length])
        return TowerOutput(rows * self.row_scale + self.row_bias, pooled)
