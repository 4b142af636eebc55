"""Segments to tokens."""

import dataclasses

import pytest

from clipcond.chunking import Token, tokenize
from clipcond.prompt import Break, parse
from clipcond.tokenizers.base import SpecialTokens


class Letters:
    """A tokenizer whose tokens are characters without the spaces."""

    def __init__(self):
        self.calls = []

    def encode(self, text):
        return [ord(character) for character in text if character != " "]

    def encode_batch(self, texts):
        self.calls.append(list(texts))
        return [self.encode(text) for text in texts]

    def pieces(self, ids):
        return [chr(token_id) for token_id in ids]


def test_tokens_carry_weight_and_place_of_their_segment():
    prompt = "a (bc:1.3) BREAK d"
    parsed = parse(prompt)

    tokens = tokenize(parsed, Letters())
    assert tokens == (
        Token(ord("a"), 1.0, 0, 0, 2),
        Token(ord("b"), 1.3, 1, 3, 5),
        Token(ord("c"), 1.3, 1, 3, 5),
        Break(11, 16),
        Token(ord("d"), 1.0, 4, 17, 18),
    )
    for token in tokens:
        if isinstance(token, Token):
            part = parsed.parts[token.segment]
            assert (token.start, token.stop) == (part.start, part.stop)


def test_a_prompt_is_one_call_of_the_tokenizer_and_a_segment_one_text():
    letters = Letters()
    tokenize(parse("pre(fix:1.2) BREAK c"), letters)

    assert letters.calls == [["pre", "fix", "", "c"]]


@pytest.mark.parametrize("prompt", ["", "   ", "()", "[(:1.2)]"])
def test_nothing_to_say(prompt):
    assert tokenize(parse(prompt), Letters()) == ()


def test_byte_pairs_do_not_merge_across_segments(clip_bpe):
    assert [t.id for t in tokenize(parse("(cat:1.5)s"), clip_bpe)] == [2368, 338]
    assert [t.id for t in tokenize(parse("cats"), clip_bpe)] == [3989]


def test_special_tokens_must_leave_room():
    assert SpecialTokens(bos=1, eos=2, pad=0, context_length=3).room == 1
    with pytest.raises(ValueError, match=r"^a context of 2 ids has no room for text$"):
        SpecialTokens(bos=1, eos=2, pad=0, context_length=2)


def test_tokens_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Token(1, 1.0, 0, 0, 1).weight = 2.0
