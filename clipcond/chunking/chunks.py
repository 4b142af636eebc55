"""Turn a parsed prompt into tokens, and tokens into chunks of a tower's context length."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import lcm
from typing import TypeAlias, cast

from clipcond.chunking.splitters import Splitter, comma_backtrack
from clipcond.chunking.tokens import Token
from clipcond.prompt.segments import Break, ParsedPrompt, Segment, split_at_breaks
from clipcond.tokenizers.base import NamingTokenizer, SpecialTokens, Tokenizer

_Pieces: TypeAlias = list[str | tuple[int, ...]]  # text, and the ids of textual inversions

# Repeating rows beyond so many times the longest prompt costs more memory than it is worth.
MOST_TIMES = 4


@dataclass(frozen=True, slots=True)
class TokenChunk:
    """One row for the tower: parallel tuples of the tower's context length L. Hashable.

    Args:
        input_ids: bos, content, eos, padding.
        weights: 1.0 for everything but content.
        attention_mask: 1 = attend; 0 only for padding, and only where the tower masks it.
        segments: which part of the parsed prompt a token comes from; -1 for specials and padding.
        goes_on: whether the part of its last token was cut, and has its rest in the next chunk.
        first: where text would begin in an empty chunk: behind bos, if there is one.
    """

    input_ids: tuple[int, ...]
    weights: tuple[float, ...]
    attention_mask: tuple[int, ...]
    segments: tuple[int, ...]
    goes_on: bool = False
    first: int = 1

    @property
    def content(self) -> int:
        """How many tokens of text it holds."""
        return sum(segment >= 0 for segment in self.segments)

    @property
    def places(self) -> range:
        """The positions of those tokens; without any, an empty range where they would begin."""
        is_text = [segment >= 0 for segment in self.segments]
        first = is_text.index(True) if True in is_text else self.first
        return range(first, first + sum(is_text))

    @property
    def is_weighted(self) -> bool:
        """Whether any weight differs from 1."""
        return self.weights.count(1.0) < len(self.weights)


def tokenize(parsed: ParsedPrompt, tokenizer: Tokenizer) -> tuple[Token | Break, ...]:
    """Turn every segment into tokens with its weight and place; keep breaks where they are.

    Every segment is tokenized on its own: byte pair merges never cross a border between segments.
    The name of a textual inversion becomes all of its ids, each at the weight of the name.
    """
    return tokenize_each([parsed], tokenizer)[0]


def tokenize_each(
    prompts: Sequence[ParsedPrompt], tokenizer: Tokenizer
) -> list[tuple[Token | Break, ...]]:
    """Turn several prompts into tokens as `tokenize` does, in one call of the tokenizer."""
    # isinstance would look through the whole protocol, at every call
    naming = cast(NamingTokenizer, tokenizer) if hasattr(tokenizer, "named") else None
    split = [[_split_names(s, naming, each.bare_names) for s in each.segments] for each in prompts]
    texts = [piece for rows in split for row in rows for piece in row if isinstance(piece, str)]
    ids = iter(tokenizer.encode_batch(texts))
    return [_tokens(each, rows, ids) for each, rows in zip(prompts, split, strict=True)]


def _tokens(
    parsed: ParsedPrompt, split: Iterable[_Pieces], ids: Iterator[list[int]]
) -> tuple[Token | Break, ...]:
    """Make the tokens of a prompt.

    Args:
        split: its segments as `_split_names` splits them.
        ids: those of each text among them, in their order.
    """
    rows = iter(split)
    tokens: list[Token | Break] = []
    for index, part in enumerate(parsed.parts):
        if isinstance(part, Break):
            tokens.append(part)
            continue
        for piece in next(rows):
            for token_id in next(ids) if isinstance(piece, str) else piece:
                tokens.append(Token(token_id, part.weight, index, part.start, part.stop))
    return tuple(tokens)


def _split_names(segment: Segment, tokenizer: NamingTokenizer | None, bare_names: bool) -> _Pieces:
    """Split a segment into text to be tokenized and the ids of textual inversions."""
    if segment.is_name:
        return [] if tokenizer is None else [tokenizer.named(segment.text)]
    if bare_names and tokenizer is not None:
        return tokenizer.split_at_names(segment.text)
    return [segment.text]


def pad_tokens(
    tokens: Sequence[Token | Break], n_tokens: int, special: SpecialTokens
) -> tuple[Token | Break, ...]:
    """Append padding, as if it were text, until there are `n_tokens` tokens.

    It belongs to a part of its own, behind the prompt's last, and weighs 1.
    """
    n_missing = n_tokens - sum(isinstance(token, Token) for token in tokens) if n_tokens else 0
    if n_missing <= 0:
        return tuple(tokens)
    last = next((token for token in reversed(tokens) if isinstance(token, Token)), None)
    segment, stop = (last.segment + 1, last.stop) if last else (0, 0)
    padding = Token(special.pad, 1.0, segment, stop, stop)
    return (*tokens, *(padding,) * n_missing)


def chunk(
    tokens: Iterable[Token | Break], special: SpecialTokens, splitter: Splitter | None = None
) -> tuple[TokenChunk, ...]:
    """Lay tokens out in chunks; at least one, which is empty when there is no text.

    A break ends its chunk even if that is empty, except after the last token: `BREAK` alone and
    `x BREAK` are one chunk, `BREAK BREAK x` are three.

    Args:
        tokens: as `tokenize` gives them.
        special: the tower's special tokens and context length.
        splitter: how a run that is too long for a chunk is cut; by default `comma_backtrack()`.
    Raises:
        ValueError: the splitter made a piece that does not fit a chunk.
    Source: AUTOMATIC1111 webui 1.10, modules/sd_hijack_clip.py, tokenize_line.
    """
    split = comma_backtrack() if splitter is None else splitter
    *closed, last = split_at_breaks(tokens)
    pieces: list[list[Token]] = []
    for run in (*closed, last) if last else closed:
        pieces += [run] if len(run) <= special.room else split(run, special)
    return tuple(
        _frame(piece, special, goes_on=_is_cut(piece, following))
        for piece, following in zip_longest(pieces or [[]], pieces[1:], fillvalue=())
    )


def empty_chunk(special: SpecialTokens) -> TokenChunk:
    """Make the chunk of the empty prompt."""
    return _frame([], special)


def change_weights(
    chunks: Sequence[TokenChunk], change: Callable[[float, int], float]
) -> tuple[TokenChunk, ...]:
    """Change the weights of the tokens of text: `change` takes a weight and its segment."""
    pairs = [zip(chunk.weights, chunk.segments, strict=True) for chunk in chunks]
    changed = [tuple(change(w, segment) if segment >= 0 else w for w, segment in p) for p in pairs]
    return tuple(replace(c, weights=weights) for c, weights in zip(chunks, changed, strict=True))


def common_length(counts: Collection[int], *, repeats: bool = False) -> int:
    """Choose the number of chunks that prompts of these numbers are all brought to.

    The longest; or with `repeats` the least common multiple, unless that is very long.
    """
    longest, multiple = max(counts), lcm(*counts)
    return multiple if repeats and multiple <= MOST_TIMES * longest else longest


def joined_rows(n_chunks: int, length: int) -> list[int]:
    """List the rows of n chunks that are left without the eos and bos between two of them."""
    last = n_chunks * length - 1
    return [row for row in range(last + 1) if row in (0, last) or 0 < row % length < length - 1]


def _is_cut(piece: Sequence[Token], following: Sequence[Token]) -> bool:
    """Whether two pieces share a part of the prompt; two with a break between them never do."""
    return bool(piece and following) and piece[-1].segment == following[0].segment


def _frame(piece: Sequence[Token], special: SpecialTokens, *, goes_on: bool = False) -> TokenChunk:
    """Make a chunk: bos if there is one, the tokens, then eos and padding, or padding and eos."""
    n_padding = special.room - len(piece)
    if n_padding < 0:
        raise ValueError(f"a splitter made a piece of {len(piece)} tokens; {special.room} fit")
    before = () if special.bos is None else (special.bos,)
    after = (special.eos,) + (special.pad,) * n_padding
    mask = (1,) + (0 if special.mask_padding else 1,) * n_padding
    if special.eos_last:
        after, mask = after[::-1], mask[::-1]
    n_before, n_after = len(before), len(after)
    return TokenChunk(
        input_ids=(*before, *[token.id for token in piece], *after),
        weights=(*(1.0,) * n_before, *[token.weight for token in piece], *(1.0,) * n_after),
        attention_mask=(1,) * (n_before + len(piece)) + mask,
        segments=(*(-1,) * n_before, *[token.segment for token in piece], *(-1,) * n_after),
        goes_on=goes_on,
        first=n_before,
    )
