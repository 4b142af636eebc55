"""Tokens to chunks of a tower's context length.

A splitter cuts one run of tokens, free of breaks, into pieces that fit; `chunk` frames the pieces.
A splitter sees tokens and the tower's special tokens, never text. None of those here cuts a textual
inversion, unless no chunk could hold it: that one is cut where the chunk is full.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, zip_longest
from math import lcm
from operator import attrgetter
from typing import TypeAlias

from clipcond.prompt.segments import Break
from clipcond.tokens import SpecialTokens, Token

Splitter: TypeAlias = Callable[[Sequence[Token], SpecialTokens], list[list[Token]]]


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


def comma_backtrack(distance: int = 20) -> Splitter:
    """A splitter that would rather cut behind a comma than inside a phrase.

    When a chunk is full, what follows its last comma moves to the next chunk, provided the comma
    is among the last `distance` tokens. A comma that finds the chunk full opens the next one, and
    is not remembered there. A textual inversion that finds too little room does so too. 0 cuts
    hard; so does a tower without a comma token.

    Source: AUTOMATIC1111 webui 1.10, modules/sd_hijack_clip.py, option comma_padding_backtrack.
    """
    # partial, not a closure: a splitter is pickled along with the Conditioner that uses it
    return partial(_split_behind_commas, distance=distance)


def _split_behind_commas(
    tokens: Sequence[Token], special: SpecialTokens, *, distance: int
) -> list[list[Token]]:
    if not special.commas:
        return hard(tokens, special)
    pieces: list[list[Token]] = []
    piece: list[Token] = []
    behind_comma = None
    for unit in _units(tokens, special, inner_ids(tokens, special)):
        is_comma = unit[0].id in special.commas
        if len(piece) == special.room:
            # A cut behind the comma at index p is allowed while room - p <= distance.
            near = behind_comma is not None and special.room - behind_comma < distance
            cut = behind_comma if near and not is_comma else special.room
            pieces.append(piece[:cut])
            piece = piece[cut:]
            behind_comma = None
        elif is_comma:
            behind_comma = len(piece) + 1
        if len(piece) + len(unit) > special.room:
            pieces.append(piece)
            piece, behind_comma = [], None
        piece.extend(unit)
    return [*pieces, piece]


def hard(tokens: Sequence[Token], special: SpecialTokens) -> list[list[Token]]:
    """A splitter that cuts wherever a chunk is full."""
    pieces: list[list[Token]] = []
    for unit in _units(tokens, special, inner_ids(tokens, special)):
        if not pieces or len(pieces[-1]) + len(unit) > special.room:
            pieces.append([])
        pieces[-1] += unit
    return pieces


def whole_groups(large: int = 8) -> Splitter:
    """A splitter that keeps together the tokens of one segment, unless they are many.

    A group that does not fit opens the next chunk. One of `large` tokens or more is cut where the
    chunk is full; so is one that no chunk could hold. What a group is, the syntax decides: see
    `groups` in prompt/comfyui.py.

    Source: ComfyUI 0.3.64, comfy/sd1_clip.py: its results, see tests/parity/test_comfyui_text.py.
    """
    return partial(_split_between_groups, large=large)


def _split_between_groups(
    tokens: Sequence[Token], special: SpecialTokens, *, large: int
) -> list[list[Token]]:
    pieces: list[list[Token]] = [[]]
    inner = inner_ids(tokens, special)
    for _, run in groupby(tokens, key=attrgetter("segment")):
        group = list(run)
        fits = len(group) <= special.room - len(pieces[-1])
        if not fits and len(group) < large and len(group) <= special.room:
            pieces.append([])
        for unit in _units(group, special, inner):
            if len(pieces[-1]) + len(unit) > special.room:
                pieces.append([])
            pieces[-1] += unit
    return pieces


def sentences(tokens: Sequence[Token], special: SpecialTokens) -> list[list[Token]]:
    """A splitter that cuts behind the last sentence that fits; else as `phrases` does.

    A chunk can come out short where its only full stop is near its beginning.

    Source: compel 2.5.1, SplitLongTextMode.SENTENCES, the default; its results.
    """
    return _split_at_ends(tokens, special, special.ends)


def phrases(tokens: Sequence[Token], special: SpecialTokens) -> list[list[Token]]:
    """A splitter that cuts behind the last phrase that fits; else as `words` does.

    Source: compel 2.5.1, SplitLongTextMode.PHRASES; its results.
    """
    return _split_at_ends(tokens, special, special.ends[1:])


def words(tokens: Sequence[Token], special: SpecialTokens) -> list[list[Token]]:
    """A splitter that cuts behind the last whole word that fits; else where the chunk is full.

    Source: compel 2.5.1, SplitLongTextMode.WORDS; its results.
    """
    return _split_at_ends(tokens, special, special.ends[2:])


def _split_at_ends(
    tokens: Sequence[Token], special: SpecialTokens, ends: Sequence[Container[int]]
) -> list[list[Token]]:
    pieces: list[list[Token]] = []
    start, room = 0, special.room
    inner = inner_ids(tokens, special)
    while len(tokens) - start > room:
        window = tokens[start : start + room]
        cuts = (i for kind in ends for i in range(room, 0, -1) if window[i - 1].id in kind)
        stop = start + next(cuts, room)
        stop = next((i for i in range(stop, start, -1) if tokens[i].id not in inner), stop)
        pieces.append(list(tokens[start:stop]))
        start = stop
    return [*pieces, list(tokens[start:])]


def inner_ids(tokens: Iterable[Token], special: SpecialTokens) -> set[int]:
    """Which ids among these belong to the one before them; each is looked up once."""
    return {token_id for token_id in {token.id for token in tokens} if token_id in special.inner}


def _units(
    tokens: Sequence[Token], special: SpecialTokens, inner: Container[int]
) -> Iterator[list[Token]]:
    """What is never cut: a token, or all tokens of an inversion; of a longer one, chunks full."""
    unit: list[Token] = []
    for token in tokens:
        if unit and (token.id not in inner or len(unit) == special.room):
            yield unit
            unit = []
        unit.append(token)
    if unit:
        yield unit


def empty_chunk(special: SpecialTokens) -> TokenChunk:
    """The chunk of the empty prompt."""
    return _framed([], special)


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
