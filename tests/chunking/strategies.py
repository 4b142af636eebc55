"""Tokens and special tokens to chunk."""

from itertools import chain

from hypothesis import strategies as st

from clipcond.chunking import Token
from clipcond.prompt import Break
from clipcond.tokenizers.base import SpecialTokens

COMMA = 267
COMMAS = frozenset({COMMA})
CLIP = SpecialTokens(bos=49406, eos=49407, pad=49407, context_length=77, commas=COMMAS)
CLIP_G = SpecialTokens(bos=49406, eos=49407, pad=0, context_length=77, commas=COMMAS)
CHINESE = SpecialTokens(bos=101, eos=102, pad=0, context_length=52, mask_padding=True)
TINY = SpecialTokens(bos=1, eos=2, pad=3, context_length=5, commas=COMMAS)
WITHOUT_BOS = SpecialTokens(bos=None, eos=1, pad=0, context_length=16, commas=COMMAS)  # as T5
ALL = [CLIP, CLIP_G, CHINESE, TINY, WITHOUT_BOS]

specials = st.sampled_from(ALL)
distances = st.sampled_from([0, 1, 2, 20, 74, 75, 200])


def token(token_id, weight=1.0, segment=0):
    """A token whose place tells nothing."""
    return Token(token_id, weight, segment, 0, 1)


def flat(lists):
    """The items of several lists, in one."""
    return list(chain.from_iterable(lists))


def words(n):
    """n tokens without a comma, each with an id of its own."""
    return [token(1000 + index) for index in range(n)]


_words = st.builds(token, st.integers(1000, 1200), st.sampled_from([0.5, 1.0, 1.3]))
_token = st.one_of(_words, _words, st.just(token(COMMA)))
# Runs of one token are what fills a chunk; single ones would hardly ever.
_runs = st.builds(lambda each, n: [each] * n, _token, st.integers(0, 80))
_parts = st.one_of(_runs, st.lists(_token, max_size=6), st.just([Break(0, 5)]))
token_lists = st.lists(_runs, max_size=6).map(flat)
lists_with_breaks = st.lists(_parts, max_size=8).map(flat)
