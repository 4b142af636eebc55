"""The attention blocks that adapters are made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from clipcond.adapters.base import AdapterConfig

EXPANSION = 4  # of the inner layer, as in the towers themselves


class RowBlock(nn.Module):
    """Let rows [n S H] attend to each other, then an MLP."""

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


class ReadingBlock(nn.Module):
    """Let rows [n R H] attend to states, then to each other.

    Args:
        width_of_values: D, of the states that values come from; keys are H wide.
    """

    def __init__(self, config: AdapterConfig, width_of_values: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden)
        self.to_states = _Attention(config.heads, config.hidden, width_of_values)
        self.among = RowBlock(config)

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
