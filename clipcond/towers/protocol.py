"""Define what every text tower has, its layers and its output. Imported without torch."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from clipcond.errors import TowerError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from clipcond.tokenizers.base import SpecialTokens, Tokenizer


@dataclass(frozen=True, slots=True)
class HiddenLayer:
    """The block whose output is used, and whether the final layer norm is applied to it.

    Args:
        depth: 1 = the last block, 2 = the penultimate.
    Raises:
        TowerError: depth is no whole number from 1.
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
    """Hidden states [n L D]; pooled [n P], or None if it was not requested."""

    hidden: Tensor
    pooled: Tensor | None = None


def too_deep(layer: HiddenLayer, depth: int, name: str) -> TowerError:
    """Say that a layer is below the tower's first block."""
    return TowerError(
        f"layer {layer.depth} from the end was asked of {name!r}, which has {depth} blocks; "
        f"use 1 (last) to {depth} (first)"
    )


class ReadsTexts(Protocol):
    """What is known of a tower without running it: enough to read, cut and explain prompts.

    `depth` counts transformer blocks, `width` is D. A tower may also have `unread`, `unread_words`
    and `own_clip_skip`, as `ModelTower` has them, and `fullwidth`: its users type such punctuation.
    """

    @property
    def name(self) -> str:
        """Its name in reports and messages."""

    @property
    def tokenizer(self) -> Tokenizer:
        """Text to ids, without special tokens."""

    @property
    def special(self) -> SpecialTokens:
        """The ids that frame a chunk, and the length L of chunks."""

    @property
    def width(self) -> int:
        """D, the width of hidden states."""

    @property
    def depth(self) -> int:
        """The number of transformer blocks."""


@runtime_checkable
class TextTower(ReadsTexts, Protocol):
    """A text encoder together with its tokenizer.

    It may also have `row_checksums`, `causal` and `mask_keeps_rows`, as `ModelTower` has them.
    """

    @property
    def device(self) -> torch.device:
        """Where the model runs, and hidden states are."""

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of hidden states."""

    def encode(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        layer: HiddenLayer,
        *,
        pooled: bool = False,
    ) -> TowerOutput:
        """Encode chunks; without `attention_mask` every position is visible.

        Args:
            input_ids: [n L].
            attention_mask: [n L], 0 = hidden from attention; or None.
            layer: which block's output, and whether normed.
            pooled: whether `TowerOutput.pooled` is wanted too.
        Returns:
            hidden [n L D]; pooled [n P] or None.
        """

    def fingerprint(self) -> Hashable:
        """Make a key that changes whenever the same ids would be encoded differently."""
