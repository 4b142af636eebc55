"""Textual inversions in a run of tokens: expanded, weighted, and never cut in two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.chunking import (
    Token,
    chunk,
    comma_backtrack,
    hard,
    phrases,
    sentences,
    tokenize,
    whole_groups,
    words,
)
from clipcond.conditioning.dialects import DIALECTS
from clipcond.prompt import parse
from clipcond.prompt.segments import ParsedPrompt, Segment
from clipcond.tokenizers.base import NamingTokenizer, SpecialTokens
from tests.chunking.strategies import flat
from tests.chunking.strategies import words as ordinary

FIRST = 100_000  # the ids of inversions: even ones begin one, odd ones go on
COMMA, STOP = 267, 269


class Odd:
    """The odd ids from FIRST on."""

    def __contains__(self, token_id):
        return token_id >= FIRST and token_id % 2 == 1


def special(context_length):
    return SpecialTokens(
        bos=1,
        eos=2,
        pad=3,
        context_length=context_length,
        commas=frozenset({COMMA}),
        ends=({STOP}, {STOP, COMMA}, range(1000, 1010)),
        inner=Odd(),
    )


def inversion(n_vectors, segment=0):
    ids = [FIRST] + [FIRST + 1] * (n_vectors - 1)
    return [Token(i, 1.0, segment, 0, 1) for i in ids]


def others(token_id, n=1):
    return [Token(token_id, 1.0, 0, 0, 1)] * n


SPLITTERS = {
    "comma": comma_backtrack(),
    "comma 2": comma_backtrack(2),
    "comma 0": comma_backtrack(0),
    "hard": hard,
    "groups": whole_groups(),
    "sentences": sentences,
    "phrases": phrases,
    "words": words,
}
each_splitter = pytest.mark.parametrize("split", SPLITTERS.values(), ids=SPLITTERS)


def test_every_dialect_cuts_with_one_of_these():
    rows = [*DIALECTS.values(), *(row.pair for row in DIALECTS.values() if row.pair)]
    known = [getattr(split, "func", split) for split in SPLITTERS.values()]

    assert all(getattr(row.splitter, "func", row.splitter) in known for row in rows)


def lengths(pieces):
    return [len(piece) for piece in pieces]


def is_whole(piece):
    return not piece or piece[0].id not in Odd()


_runs = st.one_of(
    st.integers(1, 12).map(inversion),
    st.builds(others, st.sampled_from([COMMA, STOP, 1001, 2000]), st.integers(1, 9)),
)


@each_splitter
@given(st.lists(_runs, min_size=1, max_size=30).map(flat))
def test_an_inversion_that_fits_is_never_cut(split, tokens):
    pieces = split(tokens, special(14))

    assert flat(pieces) == tokens
    assert all(len(piece) <= 12 for piece in pieces)
    assert all(map(is_whole, pieces))


@each_splitter
@pytest.mark.parametrize("n", [3, 4, 8, 9, 100])
def test_one_that_no_chunk_can_hold_is_cut_where_the_chunk_is_full(split, n):
    tokens = [*others(2000), *inversion(n), *others(2000)]
    pieces = split(tokens, special(5))

    assert flat(pieces) == tokens
    assert max(lengths(pieces)) == 3
    if n > 3:
        whole, rest = divmod(n, 3)
        assert lengths(pieces)[: 1 + whole] == [1] + [3] * whole
        assert sum(lengths(pieces)[1 + whole :]) == rest + 1


def test_too_little_room_is_not_a_full_chunk_for_commas():
    # only a full chunk is cut behind its last comma
    spec = special(14)
    before = [*others(2000, 8), *others(COMMA), *others(2000)]

    pieces = comma_backtrack()([*before, *inversion(3)], spec)
    assert lengths(pieces) == [10, 3]
    pieces = comma_backtrack()([*before, *others(2000, 2), *inversion(3)], spec)
    assert lengths(pieces) == [9, 6]


def test_behind_the_comma_there_may_be_too_little_room_again():
    before = [*others(COMMA), *others(2000, 11)]

    pieces = comma_backtrack(12)([*before, *inversion(3)], special(14))
    assert lengths(pieces) == [1, 11, 3]


def test_ends_before_an_inversion_are_still_looked_for():
    tokens = [*others(2000, 4), *others(STOP), *others(2000, 6), *inversion(3)]

    assert lengths(sentences(tokens, special(14))) == [5, 9]
    assert lengths(words(tokens, special(14))) == [11, 3]


def test_without_inversions_nothing_changes():
    spec = special(77)
    tokens = ordinary(200)

    assert lengths(hard(tokens, spec)) == [75, 75, 50]


class Names:
    """Letters, and the names of two inversions: X of three vectors, and X Y of two."""

    known = {"X Y": (FIRST, FIRST + 1), "X": (FIRST, FIRST + 1, FIRST + 1)}  # noqa: RUF012

    def encode(self, text):
        return [ord(character) for character in text if character != " "]

    def encode_batch(self, texts):
        return [self.encode(text) for text in texts]

    def pieces(self, ids):
        return list(map(str, ids))

    def named(self, name):
        return self.known.get(name, ())

    def split_at_names(self, text):
        pieces = [text]
        for name, ids in self.known.items():
            pieces = flat(
                flat([[part, ids] for part in piece.split(name)])[:-1]
                if isinstance(piece, str)
                else [piece]
                for piece in pieces
            )
        return pieces


def test_every_vector_carries_the_weight_and_the_place_of_its_name():
    tokens = tokenize(parse("a (b X:1.3) X Y"), Names())

    assert isinstance(Names(), NamingTokenizer)
    assert [(t.id, t.weight, t.segment) for t in tokens] == [
        (ord("a"), 1.0, 0),
        (ord("b"), 1.3, 1),
        *[(i, 1.3, 1) for i in (FIRST, FIRST + 1, FIRST + 1)],
        *[(i, 1.0, 2) for i in (FIRST, FIRST + 1)],
    ]
    assert {(t.start, t.stop) for t in tokens if t.segment == 1} == {(3, 6)}


def test_where_names_are_marked_a_bare_one_is_text():
    parts = (Segment("X", 1.0, 0, 1), Segment("X", 1.2, 2, 13, is_name=True))
    parsed = ParsedPrompt("X embedding:X", parts, bare_names=False)

    assert [t.id for t in tokenize(parsed, Names())] == [ord("X"), FIRST, FIRST + 1, FIRST + 1]


def test_a_marked_name_that_a_tower_lacks_is_nothing_to_it(clip_bpe):
    parts = (Segment("cat", 1.0, 0, 3), Segment("foo", 1.2, 4, 17, is_name=True))
    parsed = ParsedPrompt("cat embedding:foo", parts, bare_names=False)

    assert [t.id for t in tokenize(parsed, clip_bpe)] == clip_bpe.encode("cat")


def test_chunks_of_an_inversion_in_the_middle():
    tokens = [*ordinary(74), *inversion(3), *ordinary(1)]

    chunks = chunk(tokens, special(77))
    assert [c.content for c in chunks] == [74, 4]
