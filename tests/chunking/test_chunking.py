"""Tokens to chunks: laws, and the rules of commas and breaks. The golden chunks are in parity."""

import pickle

import pytest
from hypothesis import given

from clipcond.chunking import (
    Token,
    chunk,
    comma_backtrack,
    empty_chunk,
    hard,
    pad_tokens,
    phrases,
    sentences,
    whole_groups,
)
from clipcond.chunking import words as splitter_words
from clipcond.prompt import Break
from tests.chunking.strategies import (
    ALL,
    CHINESE,
    CLIP,
    CLIP_G,
    COMMA,
    TINY,
    distances,
    flat,
    lists_with_breaks,
    specials,
    token,
    token_lists,
    words,
)

BREAK = Break(0, 5)
comma = token(COMMA)


def contents(chunks):
    """The ids between the special tokens, chunk by chunk."""
    return [[c.input_ids[place] for place in c.places] for c in chunks]


def ids(tokens):
    return [token.id for token in tokens]


@given(lists_with_breaks, specials, distances)
def test_chunking_loses_and_invents_no_token(tokens, special, distance):
    chunks = chunk(tokens, special, comma_backtrack(distance))

    kept = [token for token in tokens if isinstance(token, Token)]
    assert flat(contents(chunks)) == ids(kept)
    weights = [c.weights[place] for c in chunks for place in c.places]
    assert weights == [token.weight for token in kept]


@given(lists_with_breaks, specials, distances)
def test_every_chunk_is_framed(tokens, special, distance):
    for c in chunk(tokens, special, comma_backtrack(distance)):
        n, n_padding = c.content, special.room - c.content
        bos = () if special.bos is None else (special.bos,)
        first = len(bos)
        assert n == 0 or c.places == range(first, first + n)
        assert len(c.input_ids) == special.context_length
        assert c.input_ids[:first] == bos
        assert c.input_ids[first + n :] == (special.eos,) + (special.pad,) * n_padding
        assert c.weights[:first] == (1.0,) * first
        assert c.weights[first + n :] == (1.0,) * (n_padding + 1)
        assert c.segments == (-1,) * first + (0,) * n + (-1,) * (n_padding + 1)
        masked = 0 if special.mask_padding else 1
        assert c.attention_mask == (1,) * (first + n + 1) + (masked,) * n_padding


@given(token_lists, specials)
def test_hard_chunks_are_full_but_for_the_last(tokens, special):
    lengths = [c.content for c in chunk(tokens, special, hard)]

    assert all(length == special.room for length in lengths[:-1])
    assert chunk(tokens, special, hard) == chunk(tokens, special, comma_backtrack(0))


@given(token_lists, specials, distances)
def test_backtracking_leaves_less_than_its_distance_empty(tokens, special, distance):
    *full, _ = chunk(tokens, special, comma_backtrack(distance))

    for c in full:
        assert special.room - c.content < max(distance, 1)
        assert c.content == special.room or c.input_ids[c.places[-1]] in special.commas


@given(lists_with_breaks, specials)
def test_a_break_cuts_and_nothing_moves_across(tokens, special):
    *head, last = (contents(chunk(run, special)) for run in split_at_breaks(tokens))

    whole = flat(head) + (last if last != [[]] or not head else [])
    assert contents(chunk(tokens, special)) == whole


def split_at_breaks(tokens):
    runs = [[]]
    for each in tokens:
        if isinstance(each, Break):
            runs.append([])
        else:
            runs[-1].append(each)
    return runs


@pytest.mark.parametrize("special", ALL)
@pytest.mark.parametrize(
    ("extra", "n_chunks"), [(None, 1), (0, 1), (1, 2)], ids=["empty", "room", "room + 1"]
)
def test_lengths_around_the_room(special, extra, n_chunks):
    tokens = [] if extra is None else words(special.room + extra)

    chunks = chunk(tokens, special)
    assert len(chunks) == n_chunks
    assert flat(contents(chunks)) == ids(tokens)


X = words(1)


@pytest.mark.parametrize(
    ("tokens", "n_tokens"),
    [
        ([], [0]),
        ([BREAK], [0]),
        ([BREAK, BREAK], [0, 0]),
        ([*X, BREAK], [1]),
        ([BREAK, *X], [0, 1]),
        ([*X, BREAK, *X], [1, 1]),
        ([BREAK, BREAK, *X], [0, 0, 1]),
        ([*X, BREAK, BREAK, *X], [1, 0, 1]),
        ([*words(75), BREAK], [75]),
        ([*words(75), BREAK, *X], [75, 1]),
        ([*words(76), BREAK], [75, 1]),
    ],
)
def test_breaks(tokens, n_tokens):
    assert [c.content for c in chunk(tokens, CLIP)] == n_tokens


@pytest.mark.parametrize(
    ("n_before", "n_behind", "n_tokens"),
    [
        (55, 20, [56, 20]),  # the comma at 55 is the last that is near enough
        (54, 21, [75, 1]),
        (55, 19, [75]),  # full, and nothing more to come
        (74, 1, [75, 1]),  # the comma fills the chunk: nothing to move
        (73, 2, [74, 2]),
    ],
)
def test_what_follows_a_near_comma_moves(n_before, n_behind, n_tokens):
    tokens = [*words(n_before), comma, *words(n_behind)]

    assert [c.content for c in chunk(tokens, CLIP)] == n_tokens


def test_the_last_of_several_commas_counts():
    tokens = [*words(60), comma, *words(5), comma, *words(20)]

    assert [c.content for c in chunk(tokens, CLIP)] == [67, 20]


def test_a_comma_that_finds_the_chunk_full_opens_the_next():
    tokens = [*words(60), comma, *words(14), comma, *words(3)]

    assert [c.content for c in chunk(tokens, CLIP)] == [75, 4]


def test_and_is_not_remembered_there():
    tokens = [*words(75), comma, *words(75)]

    assert [c.content for c in chunk(tokens, CLIP, comma_backtrack(75))] == [75, 75, 1]


def test_a_break_forgets_the_comma():
    tokens = [*words(60), comma, BREAK, *words(76)]

    assert [c.content for c in chunk(tokens, CLIP)] == [61, 75, 1]


def test_a_tower_without_a_comma_is_cut_hard():
    tokens = [*words(48), comma, *words(20)]

    assert [c.content for c in chunk(tokens, CHINESE)] == [50, 19]


def test_weights_move_with_their_tokens():
    tokens = [token(7), token(COMMA), token(8, weight=1.3, segment=4), token(9)]

    first, second = chunk(tokens, TINY)
    assert first.input_ids == (1, 7, COMMA, 2, 3)
    assert second.input_ids == (1, 8, 9, 2, 3)
    assert second.weights == (1.0, 1.3, 1.0, 1.0, 1.0)
    assert second.segments == (-1, 4, 0, -1, -1)


def test_the_empty_chunk():
    c = empty_chunk(CHINESE)

    assert c.input_ids == (101, 102) + (0,) * 50
    assert c.attention_mask == (1, 1) + (0,) * 50
    assert (c,) == chunk([], CHINESE)
    assert c.content == 0
    assert empty_chunk(CLIP_G).input_ids == (49406, 49407) + (0,) * 75


def test_chunks_are_values():
    a, b = chunk(words(3), CLIP), chunk(words(3), CLIP)

    assert a == b
    assert len({*a, *b, *chunk(words(4), CLIP)}) == 2


def test_splitters_pickle():
    splitter = pickle.loads(pickle.dumps(comma_backtrack(5)))

    tokens = [*words(73), comma, *words(2)]
    assert chunk(tokens, CLIP, splitter) == chunk(tokens, CLIP, comma_backtrack(5))


def test_a_splitter_that_makes_too_long_a_piece():
    with pytest.raises(ValueError, match=r"^a splitter made a piece of 4 tokens; 3 fit$"):
        chunk(words(4), TINY, lambda tokens, special: [list(tokens)])


def test_a_megabyte_of_tokens():
    chunks = chunk(words(9) * 30_000, CLIP)

    assert len(chunks) == 3_600


def test_a_splitter_is_asked_only_where_a_run_is_too_long():
    asked = []

    def split(tokens, special):
        asked.append(len(tokens))
        return hard(tokens, special)

    for n in (0, 1, CLIP.room - 1, CLIP.room):
        chunks = chunk([*words(n), BREAK, *words(n)], CLIP, split)
        assert contents(chunks) == ([ids(words(n))] * 2 if n else [[]])
    assert asked == []
    chunk([*words(76), BREAK, *words(75), BREAK, *words(100)], CLIP, split)
    assert asked == [76, 100]


def test_text_begins_behind_bos_and_ends_at_eos():
    """In empty chunks too, whatever the frame."""
    for special in ALL:
        for tokens in ([], words(1), words(special.room), [BREAK, *words(2), BREAK, BREAK]):
            for each in chunk(tokens, special):
                first = 0 if special.bos is None else 1
                assert each.places == range(first, first + each.content)
                assert each.input_ids[each.places.stop] == special.eos
                assert pickle.loads(pickle.dumps(each)) == each


def test_padding_counts_tokens_not_breaks():
    for special in ALL:
        for tokens in ([BREAK], [*words(2), BREAK, *words(1)], [BREAK, BREAK, *words(3), BREAK]):
            for n in (0, 1, 3, 4, 9):
                padded = pad_tokens(tokens, n, special)
                own = [each for each in padded if isinstance(each, Token)]
                n_own = sum(isinstance(each, Token) for each in tokens)
                assert len(own) == max(n, n_own)
                assert list(padded[: len(tokens)]) == tokens
                assert {each.id for each in own[n_own:]} <= {special.pad}


@given(token_lists, specials)
def test_no_splitter_cuts_what_a_chunk_holds(tokens, special):
    """So nothing is lost where none of them is asked."""
    run = tokens[: special.room]
    splitters = [hard, splitter_words, phrases, sentences, whole_groups(), comma_backtrack()]
    for split in splitters if run else ():
        assert split(run, special) == [run]
