"""The adapter around a transformers CLIP tokenizer."""

import copy
import pickle
import warnings

import pytest
import torch

from clipcond.tokenizers.clip_bpe import ClipBpeTokenizer
from tests.parity.models import tokenizer


@pytest.fixture(scope="module")
def bpe():
    return ClipBpeTokenizer(tokenizer())


def test_ids_are_those_of_the_reference_without_specials(bpe):
    assert bpe.encode("a photo of an astronaut") == [320, 1125, 539, 550, 18376]
    assert bpe.encode("") == bpe.encode(" \n\t") == []
    assert bpe.encode_batch([]) == []
    assert bpe.encode_batch(["a cat", "", "((cat"]) == [[320, 2368], [], [13796, 2368]]


def test_typed_specials_are_what_the_reference_makes_of_them(bpe):
    assert bpe.encode("<|endoftext|> hidden")[0] == 49407


def test_any_length_without_a_warning(bpe):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(bpe.encode("x " * 10_000)) == 10_000


def test_a_pipeline_that_truncates_with_the_same_tokenizer_does_not_truncate_us(bpe):
    bpe.source("x " * 100, truncation=True, max_length=77, padding="max_length")

    assert bpe.encode("x " * 100) == [343] * 100


def test_few_and_many_texts_come_out_alike(bpe, monkeypatch):
    texts = ["a (cat", "", "Ｆｕｌｌ ﬁ 猫😀\n", "<|endoftext|>x", "don't 1234!!"] * 3
    few = bpe.encode_batch(texts)
    monkeypatch.setattr("clipcond.tokenizers.wrapped.FEW", 0)

    assert bpe.encode_batch(texts) == few


def test_pieces_are_readable(bpe):
    ids = bpe.encode("Café 猫 cats' <|endoftext|>")

    assert bpe.pieces(ids) == ["café", "\\xe7", "\\x8c", "\\xab", "cats", "'", "<|endoftext|>"]
    assert bpe.pieces([]) == []


def test_which_characters_are_a_token(bpe):
    assert [c for c in "aé😀日猫𓀀" if bpe.has_whole(c)] == ["a", "é", "😀", "日"]


def test_a_pickled_tokenizer_counts_the_words_of_a_table_again(bpe):
    table = torch.ones(49408, 4)
    table[300:] = 0.0
    assert "knows" in bpe.unread("tower", ["antelope"], table)
    assert not bpe.unread("tower", ["antelope"], torch.ones(49408, 4))
    for other in (copy.deepcopy(bpe), pickle.loads(pickle.dumps(bpe))):
        assert "knows" in other.unread("tower", ["antelope"], table)
        assert not other.unread("tower", ["antelope"], torch.ones(49408, 4))
