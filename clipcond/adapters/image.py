"""The image adapter: the embedding of a picture in, the rows of a text tower's chunk out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clipcond.adapters.base import Adapter, AdapterConfig
from clipcond.adapters.blocks import ReadingBlock, RowBlock
from clipcond.errors import TowerError
from clipcond.towers.base import TowerOutput

N_TOKENS = 8  # that an embedding is spread over


class ImageAdapter(Adapter):
    """One learned query per row reads an embedding that is spread over a few tokens.

    A picture is one state, `hidden` [n 1 P]: its embedding, of length 1. A vector of zeros is no
    picture, which training pairs with the empty prompt. As in the resampler every row has its own
    scale and bias after the output matrix.

    Source: the tokens are those of IP-Adapter (arXiv 2308.06721), there 4; that a picture's
    embedding takes a prompt's place, of unCLIP (arXiv 2204.06125).
    """

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__(config)
        width, n_queries = config.hidden, config.length + (config.pooled_width is not None)
        self.queries = nn.Parameter(torch.randn(n_queries, width) / width**0.5)
        self.to_tokens = nn.Linear(config.tower_width, N_TOKENS * width)
        self.token_norm = nn.LayerNorm(width)
        self.refiner = RowBlock(config)
        self.blocks = nn.ModuleList(ReadingBlock(config, width) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.to_rows = nn.Linear(width, config.width, bias=False)
        self.row_scale = nn.Parameter(torch.ones(config.length, 1))
        self.row_bias = nn.Parameter(torch.zeros(config.length, config.width))
        self.to_pooled = None
        if config.pooled_width is not None:
            self.to_pooled = nn.Linear(width, config.pooled_width)

    def check_context(self, context_length: int, name: str) -> None:
        if context_length != 1:
            raise TowerError(
                f"an image adapter reads the embeddings of pictures, not the chunks of {name!r}",
                "A text tower takes a resampler; this one is for Conditioner.take_images().",
            )

    def _map(self, hidden: Tensor, counts: Tensor | None) -> TowerOutput:
        self.check_context(hidden.shape[1], "a text tower")
        # entries of a vector of length 1 are small: scaled, their mean square is 1
        spread: Tensor = self.to_tokens(hidden[:, 0] * self.config.tower_width**0.5)
        tokens = self.refiner(self.token_norm(spread.reshape(len(hidden), N_TOKENS, -1)))
        rows = self.queries.expand(len(hidden), -1, -1)
        for block in self.blocks:
            rows = block(rows, tokens, tokens, None)
        rows = self.norm(rows)
        pooled = None if self.to_pooled is None else self.to_pooled(rows[:, -1])
        rows = self.to_rows(rows[:, : self.config.length])
        return TowerOutput(rows * self.row_scale + self.row_bias, pooled)
