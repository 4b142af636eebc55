"""In the shape of open_clip's classes, for tests without open_clip: what a tower looks at, no more.

tests/reference has the same tests with the classes themselves.
"""

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from tests.checkpoints import open_clip_recipe as recipe


class TextEncoder(nn.Module):
    """As open_clip's HFTextEncoder: a model of transformers, a pooler, a projection."""

    def __init__(self, name: str) -> None:
        super().__init__()
        kind, pooler, projection, seed = recipe.HF[name]
        self.config = AutoConfig.for_model(kind, **recipe.HF_CONFIG)
        self.transformer = AutoModel.from_config(self.config)
        self.pooler = MeanPooler() if pooler == "mean_pooler" else FirstPooler()
        width, embed = self.config.hidden_size, recipe.HF_EMBED
        between = (width + embed) // 2
        self.proj = (
            nn.Linear(width, embed, bias=False)
            if projection == "linear"
            else nn.Sequential(
                nn.Linear(width, between, bias=False),
                nn.GELU(),
                nn.Linear(between, embed, bias=False),
            )
        )
        drawn = recipe.draw({n: tuple(p.shape) for n, p in self.named_parameters()}, seed)
        self.load_state_dict(drawn, strict=False)
        self.eval().requires_grad_(False)

    def forward(self, input_ids: Tensor) -> Tensor:
        seen = (input_ids != self.config.pad_token_id).long()
        states = self.transformer(input_ids=input_ids, attention_mask=seen)
        return self.proj(self.pooler(states, seen))


class MeanPooler(nn.Module):
    """The mean of all seen positions."""

    def forward(self, states, seen: Tensor) -> Tensor:
        weights = seen.to(states.last_hidden_state.dtype) / seen.sum(-1, keepdim=True)
        return torch.einsum("nl,nld->nd", weights, states.last_hidden_state)


class FirstPooler(nn.Module):
    """The first position."""

    def forward(self, states, seen: Tensor) -> Tensor:
        return states.last_hidden_state[:, 0]


class Frames:
    """A tokenizer of another kind: says what it puts around a text."""

    added_tokens_encoder: dict[str, int] = {}  # noqa: RUF012

    def __init__(self, framed, pad):
        self.framed, self.pad_token_id = framed, pad

    def __call__(self, texts, add_special_tokens=True, **_):
        if isinstance(texts, str):
            return {"input_ids": self.framed}
        return {"input_ids": [[3 + ord(c) % 50 for c in text] for text in texts]}

    def decode(self, ids):
        return f"<{ids[0]}>"
