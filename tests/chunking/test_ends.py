"""compel's splitters: a long text is cut behind a sentence, a phrase, a word, or where it must."""

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.chunking import Token, chunk, hard, phrases, sentences, words
from clipcond.prompt import Break
from tests.chunking.strategies import CLIP, TINY, flat, token

STOP, COMMA, WORD, PIECE = 1, 2, 3, 4  # ends a sentence, a phrase, a word, nothing
ENDS = ({STOP}, {STOP, COMMA}, {STOP, COMMA, WORD})
LONG, SHORT = replace(CLIP, ends=ENDS), replace(TINY, ends=ENDS)
SPLITTERS = {"sentences": sentences, "phrases": phrases, "words": words}

each_splitter = pytest.mark.parametrize("name", SPLITTERS)
kinds = st.sampled_from([STOP, COMMA, WORD, WORD, PIECE])
runs = st.builds(lambda kind, n: [kind] * n, kinds, st.integers(1, 80))
texts = st.lists(runs, max_size=8).map(flat)
specials = st.sampled_from([LONG, SHORT])


def pieces_of(name, ids, special):
    pieces = SPLITTERS[name]([token(i) for i in ids], special)
    return [[each.id for each in piece] for piece in pieces]


@each_splitter
@given(ids=texts, special=specials)
def test_no_token_is_lost_or_moved(name, ids, special):
    pieces = pieces_of(name, ids, special)

    assert flat(pieces) == ids
    assert all(0 < len(piece) <= special.room for piece in pieces[:-1])
    assert len(pieces[-1]) <= special.room


@each_splitter
@given(ids=texts, special=specials)
def test_a_cut_is_behind_the_last_of_the_best_ends(name, ids, special):
    wanted = ENDS[list(SPLITTERS).index(name) :]

    start = 0
    for piece in pieces_of(name, ids, special)[:-1]:
        window = ids[start : start + special.room]
        best = next((kind for kind in wanted if not kind.isdisjoint(window)), set())
        behind = [i + 1 for i, each in enumerate(window) if each in best]
        assert len(piece) == (behind[-1] if behind else special.room)
        start += len(piece)
    assert len(ids) - start <= special.room  # and what is left is not cut without need


@pytest.mark.parametrize(
    ("name", "ids", "sizes"),
    [
        ("sentences", [WORD] * 75, [75]),
        ("sentences", [WORD, STOP, *[WORD] * 74], [2, 74]),
        ("sentences", [WORD, COMMA, *[WORD] * 74], [2, 74]),
        ("phrases", [WORD, STOP, *[WORD] * 74], [2, 74]),
        ("words", [WORD, STOP, *[WORD] * 74], [75, 1]),
        ("sentences", [STOP, COMMA, *[PIECE] * 74], [1, 75]),
        ("phrases", [STOP, COMMA, *[PIECE] * 74], [2, 74]),
        ("words", [WORD, *[PIECE] * 75], [1, 75]),
        ("sentences", [PIECE] * 76, [75, 1]),
        ("sentences", [*[PIECE] * 74, STOP, STOP], [75, 1]),
        ("sentences", [], [0]),
    ],
)
def test_where_a_text_is_cut(name, ids, sizes):
    assert [len(piece) for piece in pieces_of(name, ids, LONG)] == sizes


@each_splitter
@given(ids=texts)
def test_a_tower_that_does_not_say_its_ends_is_cut_hard(name, ids):
    tokens = [token(i) for i in ids]

    assert SPLITTERS[name](tokens, CLIP) == (hard(tokens, CLIP) or [[]])


def test_a_chunk_says_whether_its_last_part_goes_on():
    parts = [token(7, segment=0), *[token(8, segment=1)] * 4, Break(0, 5), token(9, segment=3)]

    chunks = chunk(parts, TINY, hard)

    assert [c.content for c in chunks] == [3, 2, 1]
    assert [c.goes_on for c in chunks] == [True, False, False]
    assert not chunk([], TINY)[0].goes_on
    assert not chunk([token(7, segment=i) for i in range(6)], TINY, hard)[0].goes_on


@each_splitter
def test_splitters_pickle(name):
    assert pickle.loads(pickle.dumps(SPLITTERS[name])) is SPLITTERS[name]


def test_a_megabyte_of_short_sentences():
    tokens = [Token(kind, 1.0, 0, 0, 1) for kind in [STOP, *[PIECE] * 75] * 4_000]

    assert len(sentences(tokens, LONG)) == 8_000
