"""Between text and chunks: what a tokenizer is, a tower's special tokens, weighted tokens."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from clipcond.prompt.segments import Break, ParsedPrompt, Segment


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The ids that frame a chunk of one tower, and how long its chunks are.

    Args:
        bos, eos: ids before and after the text of a chunk.
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
    Raises:
        ValueError: the context has no room for a single token of text.
    """

    bos: int
    eos: int
    pad: int
    context_length: int
    mask_padding: bool = False
    commas: frozenset[int] = frozenset()
    ends: tuple[Container[int], ...] = field(default=(), compare=False, repr=False)
    stand_in: int | None = None
    eos_last: bool = False

    def __post_init__(self) -> None:
        if self.room < 1:
            raise ValueError(f"a context of {self.context_length} ids has no room for text")

    @property
    def room(self) -> int:
        """How many tokens of text a chunk holds."""
        return self.context_length - 2


class Tokenizer(Protocol):
    """Text to ids without special tokens, as the tower was trained."""

    def encode(self, text: str) -> list[int]:
        """Ids of one text, neither framed nor truncated."""

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of several texts, each as `encode` gives them."""

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """For showing: the text of every id, one string each."""


@dataclass(frozen=True, slots=True)
class Token:
    """One id, the weight it carries, and where it comes from.

    `segment` indexes the parts of the parsed prompt; `source[start:stop]` is that segment's place.
    """

    id: int
    weight: float
    segment: int
    start: int
    stop: int


def tokenize(parsed: ParsedPrompt, tokenizer: Tokenizer) -> tuple[Token | Break, ...]:
    """Turn every segment into tokens that carry its weight and place; breaks stay where they are.

    Every segment is tokenized on its own: byte pair merges never cross a border between segments.
    """
    ids = iter(tokenizer.encode_batch([segment.text for segment in parsed.segments]))
    tokens: list[Token | Break] = []
    for index, part in enumerate(parsed.parts):
        if isinstance(part, Segment):
            place = (part.weight, index, part.start, part.stop)
            tokens += [Token(token_id, *place) for token_id in next(ids)]
        else:
            tokens.append(part)
    return tuple(tokens)
