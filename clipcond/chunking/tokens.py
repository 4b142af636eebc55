"""Turn the segments of a prompt into weighted tokens."""

from __future__ import annotations

from dataclasses import dataclass

from clipcond.prompt.segments import Break, ParsedPrompt, Segment
from clipcond.tokenizers.base import NamingTokenizer, Tokenizer


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
    The name of a textual inversion is all of its ids, each at the weight of the name.
    """
    ids = iter(_encoded(parsed, tokenizer))
    tokens: list[Token | Break] = []
    for index, part in enumerate(parsed.parts):
        if isinstance(part, Segment):
            place = (part.weight, index, part.start, part.stop)
            tokens += [Token(token_id, *place) for token_id in next(ids)]
        else:
            tokens.append(part)
    return tuple(tokens)


def _encoded(parsed: ParsedPrompt, tokenizer: Tokenizer) -> list[list[int]]:
    """The ids of every segment; one call of the tokenizer."""
    naming = tokenizer if isinstance(tokenizer, NamingTokenizer) else None
    pieces = [_pieces(segment, naming, bare=parsed.bare_names) for segment in parsed.segments]
    texts = [piece for row in pieces for piece in row if isinstance(piece, str)]
    ids = iter(tokenizer.encode_batch(texts))
    return [
        [i for piece in row for i in (next(ids) if isinstance(piece, str) else piece)]
        for row in pieces
    ]


def _pieces(
    segment: Segment, tokenizer: NamingTokenizer | None, *, bare: bool
) -> list[str | tuple[int, ...]]:
    """The text to be tokenized, and the ids of inversions between."""
    if segment.is_name:
        return [tokenizer.named(segment.text)] if tokenizer is not None else []
    if bare and tokenizer is not None:
        return tokenizer.split_at_names(segment.text)
    return [segment.text]
