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
        """Encode chunks [n L]; without `attention_mask` every position is visible."""

    def fingerprint(self) -> Hashable:
        """Make a key that changes whenever the same ids would be encoded differently."""
