"""XLM-RoBERTa's tokenizer against transformers' own, and what it says of itself."""

import pickle

import pytest
from transformers import XLMRobertaTokenizer

from clipcond.errors import CheckpointError, TowerError
from clipcond.tokenizers.sentence_piece import SentencePieceTokenizer, special_tokens, tokenizer_in
from tests.towers.alt import tokenizer

STRINGS = [
    "a photo of a red cat, best quality.",
    "一只红色的猫和蓝色的狗，白色背景。",
    " ｒｅｄ　猫！  (cat:1.3) ",
    "😀 龘 a\n\tcat",
    "",
]


@pytest.fixture
def words():
    return SentencePieceTokenizer(tokenizer())


def test_ids_are_those_of_transformers(words):
    theirs = tokenizer()(STRINGS)["input_ids"]

    assert [[0, *words.encode(text), 2] for text in STRINGS] == theirs


def test_many_texts_come_out_as_one_by_one(words, monkeypatch):
    one_by_one = words.encode_batch(STRINGS)
    monkeypatch.setattr("clipcond.tokenizers.wrapped.FEW", 0)

    assert words.encode_batch(STRINGS) == one_by_one


def test_pieces_are_text_without_the_mark(words):
    ids = [0, *words.encode("red ｃａｔ，猫 z"), 2, 1]

    assert words.pieces(ids) == ["<s>", "red", "cat", ",", "猫", "▁", "<unk>", "</s>", "<pad>"]


def test_whole_words(words):
    assert [words.is_word(t) for t in ("▁cat", "cat", "▁红色的", "红色的", "▁", ",", "<pad>")] == [
        *(True, False, True, True, False, False, False)
    ]


def test_where_a_long_text_may_be_cut(words):
    special = special_tokens(words.source, 77)
    sentence, phrase, word = special.ends

    def ids(*tokens):
        return [tokenizer().convert_tokens_to_ids(token) for token in tokens]

    assert special.commas == set(ids(",", "，", "、"))
    assert all(i in sentence for i in ids(".", "。", "！"))
    assert not any(i in sentence for i in ids(",", "猫", "▁cat"))
    assert all(i in phrase for i in ids(",", ";", ":"))
    assert all(i in word for i in ids("猫", "▁红色的", ",", "("))
    assert not any(i in word for i in ids("▁cat", "cat", "▁", "<pad>"))
    assert special.stand_in == tokenizer().mask_token_id


def test_a_tokenizer_of_transformers_without_a_vocabulary_is_told():
    with pytest.raises(TowerError, match="or one without a vocabulary"):
        special_tokens(XLMRobertaTokenizer(), 77)


def test_it_can_be_pickled(words):
    assert pickle.loads(pickle.dumps(words)).encode(STRINGS[1]) == words.encode(STRINGS[1])


@pytest.mark.parametrize("left_out", [(), ("tokenizer_config.json",)])
def test_a_folder_is_read_with_its_normalization(left_out, tmp_path):
    tokenizer().save_pretrained(tmp_path)
    for name in left_out:
        (tmp_path / name).unlink()

    found = tokenizer_in(tmp_path)

    rows = SentencePieceTokenizer(found).encode_batch(STRINGS)
    assert rows == SentencePieceTokenizer(tokenizer()).encode_batch(STRINGS)
    assert special_tokens(found, 77) == special_tokens(tokenizer(), 77)


def test_beside_the_text_encoder_of_a_pipeline(tmp_path):
    tokenizer().save_pretrained(tmp_path / "tokenizer")
    (tmp_path / "text_encoder").mkdir()

    assert len(tokenizer_in(tmp_path / "text_encoder")) == len(tokenizer())


def test_none_or_a_broken_one(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        tokenizer_in(tmp_path)
    assert str(caught.value) == (
        f"there is no tokenizer for {str(tmp_path)!r}\nLooked for tokenizer.json in: {tmp_path}"
    )
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(CheckpointError, match="is broken"):
        tokenizer_in(tmp_path)
