"""The resampler: learned queries read a chunk and write the rows of another tower's chunk."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from clipcond.adapters.base import Adapter, AdapterConfig
from clipcond.towers.base import TowerOutput

EXPANSION = 4  # of the inner layer, as in the towers themselves


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
        self.refiner = _Block(config)
        self.key_norm = nn.LayerNorm(config.hidden)
        self.blocks = nn.ModuleList(_ReadingBlock(config) for _ in range(config.layers))
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


class _Block(nn.Module):
    """Self-attention among rows [n S H], then an MLP."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        width = config.hidden
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_rows = _Attention(config.heads, width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, EXPANSION * width), nn.GELU(), nn.Linear(EXPANSION * width, width)
        )

    def forward(self, rows: Tensor, visible: Tensor | None = None) -> Tensor:
        normed = self.norm_1(rows)
        rows = rows + self.to_rows(normed, normed, normed, visible)
        added: Tensor = self.mlp(self.norm_2(rows))
        return rows + added


class _ReadingBlock(nn.Module):
    """Attention of rows [n R H] to the chunk's states, then a block among rows."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden)
        self.to_states = _Attention(config.heads, config.hidden, config.tower_width)
        self.among = _Block(config)

    def forward(self, rows: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None) -> Tensor:
        rows = rows + self.to_states(self.norm(rows), keys, values, visible)
        found: Tensor = self.among(rows)
        return found


class _Attention(nn.Module):
    """Multi-head attention without a bias on values, so that zero states add nothing."""

    def __init__(self, n_heads: int, width: int, width_of_values: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(width, width, bias=False)
        self.to_v = nn.Linear(width_of_values, width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None = None
    ) -> Tensor:
        q, k, v = (
            states.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # [n heads S H/heads]
            for states in (self.to_q(queries), self.to_k(keys), self.to_v(values))
        )
        attended = scaled_dot_product_attention(q, k, v, attn_mask=visible)
        out: Tensor = self.to_out(attended.transpose(1, 2).flatten(2))
        return out
