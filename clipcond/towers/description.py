"""What is known of a tower from its files, without its model. Imported without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.wrapped import StoredTable, WrappedTokenizer


@dataclass(frozen=True, eq=False)
class TowerDescription:
    """What a `ModelTower` of the same files would say of itself; it encodes nothing.

    Args:
        name: its name in reports and messages.
        tokenizer, special, width, depth, own_clip_skip, fullwidth: the tower's.
        table: its token embeddings [V D].
    """

    name: str
    tokenizer: WrappedTokenizer
    special: SpecialTokens
    width: int
    depth: int
    table: StoredTable
    own_clip_skip: int | None = None
    fullwidth: bool = False

    def unread(self, texts: Sequence[str]) -> str:
        """Describe words and characters that mean nothing to this tower; "" if all are read."""
        return self.tokenizer.unread(self.name, texts, self.table)

    def unread_words(self, texts: Sequence[str]) -> list[str]:
        """List what `unread` describes: words in small letters and characters, each once."""
        return self.tokenizer.unread_words(texts, self.table)
