"""Bring prompts to one length: empty chunks, padding, and the rows that stay."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import lcm

from clipcond.chunking.chunks import TokenChunk, empty_chunk
from clipcond.chunking.tokens import Token
from clipcond.prompt.segments import Break
from clipcond.tokenizers.base import SpecialTokens


def equalize(
    a: Sequence[TokenChunk], b: Sequence[TokenChunk], special: SpecialTokens
) -> tuple[tuple[TokenChunk, ...], tuple[TokenChunk, ...]]:
    """Make two prompts equally long by appending empty chunks to the shorter one."""
    missing = len(a) - len(b)
    fill = (empty_chunk(special),)
    return (*a, *fill * -missing), (*b, *fill * missing)


# Repeating rows beyond so many times the longest prompt costs more memory than it is worth.
MOST_TIMES = 4


def common_length(counts: Collection[int], *, repeats: bool = False) -> int:
    """How many chunks prompts of so many chunks are all brought to.

    The longest; or with `repeats` the least common multiple, unless that is very long.
    """
    longest, multiple = max(counts), lcm(*counts)
    return multiple if repeats and multiple <= MOST_TIMES * longest else longest


def fill(
    tokens: Sequence[Token | Break], n_tokens: int, special: SpecialTokens
) -> tuple[Token | Break, ...]:
    """Append padding, as if it were text, until there are so many tokens.

    It belongs to a part of its own, behind the prompt's last, and weighs 1.
    """
    last = next((token for token in reversed(tokens) if isinstance(token, Token)), None)
    segment, stop = (last.segment + 1, last.stop) if last else (0, 0)
    padding = Token(special.pad, 1.0, segment, stop, stop)
    return (*tokens, *(padding,) * (n_tokens - len(tokens)))


def joined_rows(n_chunks: int, length: int) -> list[int]:
    """Which rows of n chunks are left without the eos and bos between two of them."""
    last = n_chunks * length - 1
    return [row for row in range(last + 1) if row in (0, last) or 0 < row % length < length - 1]
