"""Cut a run of tokens into pieces that fit a chunk: one splitter for each rule of the tools.

A splitter sees tokens and the tower's special tokens, never text. None of these cuts a textual
inversion, unless no chunk could hold it: that one is cut where the chunk is full.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import TypeAlias

from clipcond.chunking.tokens import Token
from clipcond.tokenizers.base import SpecialTokens

Splitter: TypeAlias = Callable[[Sequence[Token], SpecialTokens], list[list[Token]]]


def comma_backtrack(distance: int = 20) -> Splitter:
    """Make a splitter that prefers to cut behind a comma.

    When a chunk is full, what follows its last comma moves to the next chunk, provided the comma
    is among the last `distance` tokens. A comma behind a full chunk opens the next one, and is not
    remembered there; a textual inversion that finds too little room opens the next one too. A
    distance of 0, or a tower without a comma token, cuts where the chunk is full.

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
    """Cut wherever a chunk is full."""
    pieces: list[list[Token]] = []
    for unit in _units(tokens, special, inner_ids(tokens, special)):
        if not pieces or len(pieces[-1]) + len(unit) > special.room:
            pieces.append([])
        pieces[-1] += unit
    return pieces


def whole_groups(large: int = 8) -> Splitter:
    """Make a splitter that keeps the tokens of one segment together, unless they are many.

    A segment that does not fit opens the next chunk. One of `large` tokens or more is cut where the
    chunk is full; so is one that no chunk could hold. The syntax decides what a segment is: see
    `parse_groups` in prompt/syntaxes/comfyui.py.

    Source: ComfyUI 0.3.64, comfy/sd1_clip.py (results; tests/parity/test_comfyui_text.py).
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
    """Cut behind the last sentence that fits; if there is none, as `phrases` does.

    A chunk can come out short where its only full stop is near its beginning.

    Source: compel 2.5.1, SplitLongTextMode.SENTENCES, the default (results).
    """
    return _split_at_ends(tokens, special, special.ends)


def phrases(tokens: Sequence[Token], special: SpecialTokens) -> list[list[Token]]:
    """Cut behind the last phrase that fits; if there is none, as `words` does.

    Source: compel 2.5.1, SplitLongTextMode.PHRASES (results).
    """
    return _split_at_ends(tokens, special, special.ends[1:])


def words(tokens: Sequence[Token], special: SpecialTokens) -> list[list[Token]]:
    """Cut behind the last whole word that fits; if there is none, where the chunk is full.

    Source: compel 2.5.1, SplitLongTextMode.WORDS (results).
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
    """Collect the ids that belong to the id before them, as in a textual inversion."""
    ids, among = {token.id for token in tokens}, getattr(special.inner, "among", None)
    return {each for each in ids if each in special.inner} if among is None else among(ids)


def _units(
    tokens: Sequence[Token], special: SpecialTokens, inner: Container[int]
) -> Iterator[list[Token]]:
    """Yield what is never cut: a token, or an inversion; one too long for a chunk is cut up."""
    unit: list[Token] = []
    for token in tokens:
        if unit and (token.id not in inner or len(unit) == special.room):
            yield unit
            unit = []
        unit.append(token)
    if unit:
        yield unit
