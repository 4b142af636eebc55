"""What every text tower has, whatever runs it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from clipcond.tokenizers.base import SpecialTokens, Tokenizer
    from clipcond.towers.base import HiddenLayer, TowerOutput


@runtime_checkable
class TextTower(Protocol):
    """A text encoder together with its tokenizer.

    `depth` counts transformer blocks, `width` is D. A tower may also have `unread`, `unread_words`,
    `row_checksums` and `own_clip_skip`, as `ModelTower` has them, and `fullwidth`: its users type
    such punctuation.
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
