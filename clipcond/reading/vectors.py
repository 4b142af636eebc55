"""Keep many vectors in one growing matrix, and find those nearest to others, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SCORES_AT_ONCE = 2**23  # numbers: 32 MB
QUERIES_AT_ONCE = 256


class VectorTable:
    """Vectors [n P] of float32, in rows that can be added, replaced and dropped.

    It grows by half when it is full, so that adding costs the same at any length.

    Args:
        rows: [n P], which belong to it from now on.
    """

    def __init__(self, rows: Tensor) -> None:
        self._buffer = rows
        self._n = len(rows)

    def __len__(self) -> int:
        return self._n

    @property
    def rows(self) -> Tensor:
        """The vectors [n P]; a view of what is kept."""
        return self._buffer[: self._n]

    def append(self, rows: Tensor) -> None:
        """Add rows [m P] behind the others."""
        n = self._n + len(rows)
        if n > len(self._buffer):
            grown = torch.empty(max(n, n * 3 // 2), rows.shape[1])
            grown[: self._n] = self.rows
            self._buffer = grown
        self._buffer[self._n : n] = rows
        self._n = n

    def replace(self, places: Sequence[int], rows: Tensor) -> None:
        """Write rows [m P] over those at m places."""
        self._buffer[list(places)] = rows

    def drop(self, places: Sequence[int]) -> None:
        """Take rows out; those behind them move up."""
        kept = torch.ones(self._n, dtype=torch.bool)
        kept[list(places)] = False
        self._buffer = self.rows[kept]
        self._n = len(self._buffer)


def nearest_rows(rows: Tensor, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find for each query the k rows with the largest products, the largest first.

    Every row is compared, in blocks of bounded size. Of equal products the earlier row is first.

    Args:
        rows: [n P].
        queries: [m P].
    Returns:
        products [m k] and places [m k]; fewer than k where n is smaller.
    """
    parts = [
        _nearest(rows, part, min(k, len(rows))) for part in torch.split(queries, QUERIES_AT_ONCE)
    ]
    products, places = zip(*parts, strict=True)
    return torch.cat(products), torch.cat(places)


def _nearest(rows: Tensor, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    m = len(queries)
    products = torch.empty(m, 0)
    places = torch.empty(m, 0, dtype=torch.long)
    n_at_once = max(1, SCORES_AT_ONCE // max(1, m))
    for start in range(0, len(rows), n_at_once):
        own = queries @ rows[start : start + n_at_once].T
        found, where = own.topk(min(k, own.shape[1]), dim=-1)
        products = torch.cat([products, found], dim=-1)
        places = torch.cat([places, where + start], dim=-1)
        places, order = places.sort(dim=-1)
        products, order = products.gather(-1, order).sort(dim=-1, descending=True, stable=True)
        products, places = products[:, :k], places.gather(-1, order)[:, :k]
    return products, places
