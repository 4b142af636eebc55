"""The Tokenizer protocol, and a tower's special tokens."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The ids that frame a chunk of one tower, and the length of its chunks.

    Args:
        bos, eos: ids before and after the text of a chunk; bos None if the tower has none, as T5.
        pad: id that fills the rest.
        context_length: L, the ids in a chunk, bos and eos included.
        mask_padding: whether padding must be hidden from the tower's attention.
        commas: ids of the comma tokens, after which a long text is best cut; empty if unknown.
        ends: ids after which a long text may be cut, the best kind first: those that end a
            sentence, a phrase, a word. Empty if unknown.
        stand_in: id of a token that can replace a word that is left out; None if there is none.
        eos_last: whether eos comes at the end of a chunk, after the padding, not before it.
        inner: ids that belong to the one before them: all but the first vector of a textual
            inversion. No chunk begins with one, unless an inversion is longer than a chunk.
    Attributes:
        room: how many tokens of text a chunk holds.
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
    room: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "room", self.context_length - (1 if self.bos is None else 2))
        if self.room < 1:
            raise ValueError(f"a context of {self.context_length} ids has no room for text")


class Tokenizer(Protocol):
    """Text to ids without special tokens, as the tower was trained."""

    def encode(self, text: str) -> list[int]:
        """Encode one text, without bos and eos, of any length."""

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Encode several texts, each as `encode` does."""

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Show each id as text, one string each."""


@runtime_checkable
class NamingTokenizer(Tokenizer, Protocol):
    """A tokenizer that knows textual inversions: names, each for one or more ids."""

    def named(self, name: str) -> tuple[int, ...]:
        """Look up the ids of a name; none if there is no such name."""

    def split_at_names(self, text: str) -> list[str | tuple[int, ...]]:
        """Split a text at names; each name is replaced by its ids."""
