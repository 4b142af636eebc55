"""What every text tower is: token ids in, hidden states out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from clipcond.errors import TowerError
from clipcond.tokenizers.base import SpecialTokens, Tokenizer

__all__ = [
    "HiddenLayer",
    "TextTower",
    "TowerOutput",
    "check_context",
    "check_layer",
    "first_eos",
]


@dataclass(frozen=True, slots=True)
class HiddenLayer:
    """Which block's output is used: depth 1 = the last block, 2 = the penultimate.

    `final_norm` says whether the model's final layer norm is applied to it.
    """

    depth: int = 1
    final_norm: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.depth, bool) or not isinstance(self.depth, int) or self.depth < 1:
            raise TowerError(
                f"a hidden layer's depth is a whole number from 1 (the last block), "
                f"not {self.depth!r}"
            )


@dataclass(frozen=True, slots=True)
class TowerOutput:
    """hidden [n L D]; pooled [n P], or None where it was not asked for."""

    hidden: Tensor
    pooled: Tensor | None = None


@runtime_checkable
class TextTower(Protocol):
    """A text encoder together with its tokenizer.

    `depth` counts transformer blocks, `width` is D. A tower may also have `unread(texts)`, which
    returns the words and characters it cannot read (see `OpenAIClipTower.unread`), and `fullwidth`,
    True where those who write for it type full-width punctuation, as for the Chinese towers.
    """

    @property
    def name(self) -> str: ...
    @property
    def tokenizer(self) -> Tokenizer: ...
    @property
    def special(self) -> SpecialTokens: ...
    @property
    def width(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def dtype(self) -> torch.dtype: ...

    def encode(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        layer: HiddenLayer,
        *,
        pooled: bool = False,
    ) -> TowerOutput:
        """Encode chunks [n L]; `attention_mask` None means that every position is seen."""
        ...

    def fingerprint(self) -> Hashable:
        """A key that changes whenever the same ids would be encoded differently."""
        ...


def first_eos(input_ids: Tensor, eos: int) -> Tensor:
    """Position [n] of each row's first EOS in `input_ids` [n L].

    By id, never by the largest id: the ids of added tokens (textual inversion) lie above EOS, and
    the configs published with Stable Diffusion name a wrong EOS id.

    Raises:
        TowerError: a row has no EOS, so nothing says where its text ends.
    """
    is_eos = input_ids == eos
    if not bool(is_eos.any(dim=-1).all()):
        raise TowerError(f"no EOS (id {eos}) in a row of input_ids: nothing to pool")
    return is_eos.to(torch.int8).argmax(dim=-1)


def check_layer(layer: HiddenLayer, depth: int, name: str) -> None:
    """Refuse a layer below the tower's first block.

    Raises:
        TowerError: the tower has fewer blocks.
    """
    if layer.depth > depth:
        raise TowerError(
            f"layer {layer.depth} from the end was asked of {name!r}, which has {depth} blocks; "
            f"use 1 (last) to {depth} (first)"
        )


def check_context(context_length: int, n_positions: int, name: str) -> int:
    """A context length that the tower has positions for.

    Raises:
        TowerError: more than its positions, or no room for a single token of text.
    """
    is_number = isinstance(context_length, int) and not isinstance(context_length, bool)
    if not is_number or not 3 <= context_length <= n_positions:
        raise TowerError(
            f"context_length={context_length!r} does not fit {name!r}, which has {n_positions} "
            f"positions; use a whole number from 3 to {n_positions}"
        )
    return context_length
