"""What a tokenizer is, and the special tokens of a tower."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The ids that frame a chunk of one tower, and how long its chunks are.

    Args:
        bos, eos: ids before and after the text of a chunk; bos None where there is none, as for T5.
        pad: id that fills the rest.
        context_length: L, the ids in a chunk, bos and eos included.
        mask_padding: whether the tower must be kept from attending to padding.
        commas: ids of the comma tokens, behind which a long text is best cut; none where the tower
            does not say.
        ends: ids behind which a long text may be cut, the best kind first: those that end a
            sentence, a phrase, a word. None of them when the tower does not say.
        stand_in: id of a token that can take the place of a word that is left out, None when the
            tower has none.
        eos_last: whether eos stands at the end of a chunk, behind the padding, not before it.
        inner: ids that belong to the one before them: all but the first vector of a textual
            inversion. No chunk begins with one, unless an inversion is longer than a chunk.
    Raises:
        ValueError: the context has no room for a single token of text.
    """

    bos: int | None
    eos: int
    pad: int
    context_length: int
    mask_padding: bool = False
    commas: frozenset[int] = frozenset()
    ends: tuple[Container[int], ...] = field(default=(), compare=False, repr=False)
    stand_in: int | None = None
    eos_last: bool = False
    inner: Container[int] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.room < 1:
            raise ValueError(f"a context of {self.context_length} ids has no room for text")

    @property
    def room(self) -> int:
        """How many tokens of text a chunk holds."""
        return self.context_length - (1 if self.bos is None else 2)


class Tokenizer(Protocol):
    """Text to ids without special tokens, as the tower was trained."""

    def encode(self, text: str) -> list[int]:
        """Ids of one text, neither framed nor truncated."""

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of several texts, each as `encode` gives them."""

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """For showing: the text of every id, one string each."""


@runtime_checkable
class NamingTokenizer(Tokenizer, Protocol):
    """A tokenizer that knows textual inversions: names that stand for one or more ids."""

    def named(self, name: str) -> tuple[int, ...]:
        """The ids that a name stands for; none if there is no such name."""

    def split_at_names(self, text: str) -> list[str | tuple[int, ...]]:
        """The text between names, and in the place of each name its ids."""
