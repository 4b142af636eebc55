"""Laws of the normalisations: weights in, weights out, everything else as it was."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipcond.chunking import TokenChunk
from clipcond.weighting import NORMALIZATIONS

NAMES = ["mean", "length", "length+mean"]
weights = st.floats(-5, 5)
# One weight for each word, and for each chunk the words of its tokens: a word may stand in two.
prompts = st.tuples(
    st.lists(weights, min_size=4, max_size=4),
    st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=3),
)


def chunks_of(prompt):
    of_words, chunks = prompt
    return [
        TokenChunk(
            (1, *range(10, 10 + len(words)), 2),
            (1.0, *(of_words[word] for word in words), 1.0),
            (1,) * (len(words) + 2),
            (-1, *words, -1),
        )
        for words in chunks
    ]


def of_words(chunks):
    """(weight, word) of the tokens of text."""
    return [
        (weight, word)
        for chunk in chunks
        for weight, word in zip(chunk.weights, chunk.segments, strict=True)
        if word >= 0
    ]


@pytest.mark.parametrize("name", NAMES)
@given(prompts)
def test_only_weights_of_words_change(name, prompt):
    before = chunks_of(prompt)

    after = NORMALIZATIONS[name](before)

    for old, new in zip(before, after, strict=True):
        assert replace(new, weights=old.weights) == old
        assert new.weights[0] == new.weights[-1] == 1.0
        assert all(map(math.isfinite, new.weights))


@pytest.mark.parametrize("name", NAMES)
@given(st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=3))
def test_weights_of_1_stay(name, chunks):
    before = chunks_of(([1.0] * 4, chunks))

    assert list(NORMALIZATIONS[name](before)) == before


@pytest.mark.parametrize("name", ["mean", "length+mean"])
@given(prompts)
def test_the_mean_becomes_1(name, prompt):
    after = of_words(NORMALIZATIONS[name](chunks_of(prompt)))

    if after:
        assert math.fsum(weight for weight, _ in after) / len(after) == pytest.approx(1.0)


@given(prompts)
def test_length_divides_the_distance_from_1_by_the_root_of_the_words_length(prompt):
    before = of_words(chunks_of(prompt))
    n_tokens = Counter(word for _, word in before)

    after = of_words(NORMALIZATIONS["length"](chunks_of(prompt)))

    for (old, word), (new, same) in zip(before, after, strict=True):
        assert word == same
        assert new - 1 == pytest.approx((old - 1) / math.sqrt(n_tokens[word]), abs=1e-12)
