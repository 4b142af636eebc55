"""ComfyUI's splitter, and the lengths that prompts are brought to together."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.chunking import chunk, common_length, whole_groups
from tests.chunking.strategies import ALL, CLIP, TINY, flat, specials, token

sizes = st.lists(st.integers(1, 90), max_size=12)


def tokens_of(groups):
    """Groups of so many tokens, every token with an id of its own."""
    counted = flat([[segment] * size for segment, size in enumerate(groups)])
    return [token(1000 + i, segment=segment) for i, segment in enumerate(counted)]


def contents(groups, special):
    """How many tokens of which group each chunk holds."""
    chunks = chunk(tokens_of(groups), special, whole_groups())
    return [{s: c.segments.count(s) for s in sorted(set(c.segments) - {-1})} for c in chunks]


@given(sizes, specials)
def test_no_token_is_lost_or_moved(groups, special):
    chunks = chunk(tokens_of(groups), special, whole_groups())

    kept = [c.input_ids[place] for c in chunks for place in c.places]
    assert kept == [t.id for t in tokens_of(groups)]


@given(sizes)
def test_small_groups_are_never_cut_and_large_ones_fill_their_chunk(groups):
    chunks = contents(groups, CLIP)

    for before, after in pairwise(chunks):
        last, first = max(before), min(after)
        if last == first:
            assert groups[last] >= 8
            assert sum(before.values()) == CLIP.room
        else:
            assert groups[first] + sum(before.values()) > CLIP.room


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([75], [{0: 75}]),
        ([75, 1], [{0: 75}, {1: 1}]),
        ([70, 5], [{0: 70, 1: 5}]),
        ([70, 7], [{0: 70}, {1: 7}]),
        ([70, 8], [{0: 70, 1: 5}, {1: 3}]),
        ([75, 8], [{0: 75}, {1: 8}]),
        ([76], [{0: 75}, {0: 1}]),
        ([70, 80, 7], [{0: 70, 1: 5}, {1: 75}, {2: 7}]),
        ([], [{}]),
    ],
)
def test_where_groups_are_cut(groups, expected):
    assert contents(groups, CLIP) == expected


def test_a_group_that_no_chunk_could_hold_is_cut_however_few_its_tokens():
    assert TINY.room == 3
    assert contents([2, 5], TINY) == [{0: 2, 1: 1}, {1: 3}, {1: 1}]


@pytest.mark.parametrize("special", ALL)
def test_nothing_is_one_empty_chunk(special):
    assert contents([], special) == [{}]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_all_lengths_divide_the_common_one_unless_it_is_very_long(counts):
    assert common_length(counts) == max(counts)

    together = common_length(counts, repeats=True)
    assert together >= max(counts)
    if math.lcm(*counts) <= 4 * max(counts):
        assert all(together % count == 0 for count in counts)
    else:
        assert together == max(counts)
