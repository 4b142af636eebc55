"""Lay tokens out in chunks of a tower's context length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from clipcond.chunking.splitters import Splitter, comma_backtrack
from clipcond.chunking.tokens import Token
from clipcond.prompt.segments import Break
from clipcond.tokenizers.base import SpecialTokens


@dataclass(frozen=True, slots=True)
class TokenChunk:
    """One row for the tower: parallel tuples of the tower's context length L. Hashable.

    Args:
        input_ids: bos, content, eos, padding.
        weights: 1.0 for everything but content.
        attention_mask: 1 = attend; 0 only for padding, and only where the tower masks it.
        segments: which part of the parsed prompt a token comes from; -1 for specials and padding.
        goes_on: whether the part of its last token was cut, and has its rest in the next chunk.
    """

    input_ids: tuple[int, ...]
    weights: tuple[float, ...]
    attention_mask: tuple[int, ...]
    segments: tuple[int, ...]
    goes_on: bool = False

    @property
    def content(self) -> int:
        """How many tokens of text it holds."""
        return sum(segment >= 0 for segment in self.segments)

    @property
    def places(self) -> range:
        """Where those tokens stand; where they would, if there are none."""
        is_text = [segment >= 0 for segment in self.segments]
        first = is_text.index(True) if any(is_text) else 1
        return range(first, first + self.content)


def chunk(
    tokens: Iterable[Token | Break],
    special: SpecialTokens,
    splitter: Splitter | None = None,
) -> tuple[TokenChunk, ...]:
    """Lay tokens out in chunks; at least one, which is empty when there is nothing to say.

    A break ends its chunk even if that is empty, except after the last token: `BREAK` alone and
    `x BREAK` are one chunk, `BREAK BREAK x` are three.

    Args:
        tokens: as `tokenize` gives them.
        special: the tower's frame and length.
        splitter: how a run that is too long is cut; by default `comma_backtrack()`.
    Source: AUTOMATIC1111 webui 1.10, modules/sd_hijack_clip.py, tokenize_line.
    """
    split = comma_backtrack() if splitter is None else splitter
    *closed, last = _runs(tokens)
    pieces = [piece for run in closed for piece in (split(run, special) if run else [[]])]
    if last:
        pieces += split(last, special)
    return tuple(
        _framed(piece, special, goes_on=_is_cut(piece, following))
        for piece, following in zip_longest(pieces or [[]], pieces[1:], fillvalue=())
    )


def empty_chunk(special: SpecialTokens) -> TokenChunk:
    """The chunk of the empty prompt."""
    return _framed([], special)


def _runs(tokens: Iterable[Token | Break]) -> list[list[Token]]:
    """Tokens between the breaks: one run more than there are breaks, empty ones included."""
    runs: list[list[Token]] = [[]]
    for token in tokens:
        if isinstance(token, Break):
            runs.append([])
        else:
            runs[-1].append(token)
    return runs


def _is_cut(piece: Sequence[Token], following: Sequence[Token]) -> bool:
    """Whether two pieces share a part of the prompt; those beside a break never do."""
    return bool(piece and following) and piece[-1].segment == following[0].segment


def _framed(piece: Sequence[Token], special: SpecialTokens, *, goes_on: bool = False) -> TokenChunk:
    """One chunk: bos if there is one, the tokens, then eos and padding, or padding and eos."""
    opening = () if special.bos is None else (special.bos,)
    ones = (1.0,) * len(opening)
    n_padding = special.room - len(piece)
    if n_padding < 0:
        raise ValueError(f"a splitter made a piece of {len(piece)} tokens; {special.room} fit")
    masked = 0 if special.mask_padding else 1
    closing, seen = (special.eos,) + (special.pad,) * n_padding, (1,) + (masked,) * n_padding
    if special.eos_last:
        closing, seen = closing[::-1], seen[::-1]
    return TokenChunk(
        input_ids=(*opening, *(token.id for token in piece), *closing),
        weights=(*ones, *(token.weight for token in piece)) + (1.0,) * (n_padding + 1),
        attention_mask=(1,) * (len(opening) + len(piece)) + seen,
        segments=(-1,) * len(opening)
        + tuple(token.segment for token in piece)
        + (-1,) * (n_padding + 1),
        goes_on=goes_on,
    )
