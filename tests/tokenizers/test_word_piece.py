"""The WordPiece tokenizer against cn_clip's own, and what it says of itself."""

import hashlib
import json
import pickle

import pytest
from transformers import BertTokenizer, CLIPTokenizer

from clipcond.embedded import folder
from clipcond.errors import CheckpointError, TowerError
from clipcond.tokenizers.word_piece import (
    WordPieceTokenizer,
    chinese_tokenizer,
    special_tokens,
    tokenizer_in,
)
from tests.parity.golden import cases_of
from tests.towers.chinese import tokenizer

STRINGS = cases_of("chinese_clip")["strings"]
VOCABULARY = folder().parent / "zh" / "tower" / "vocab.txt"


@pytest.fixture(scope="module")
def words():
    return WordPieceTokenizer(tokenizer())


def test_the_golden_data_is_all_there():
    assert len(STRINGS) == 64
    assert sum(len(case["ids"]) for case in STRINGS) == 766


def test_ids_are_those_of_cn_clip(words):
    assert not [case for case in STRINGS if words.encode(case["text"]) != case["ids"]]


def test_many_texts_come_out_as_one_by_one(words, monkeypatch):
    monkeypatch.setattr("clipcond.tokenizers.wrapped.FEW", 0)

    rows = words.encode_batch([case["text"] for case in STRINGS])

    assert rows == [case["ids"] for case in STRINGS]


def test_what_is_encoded_can_be_decoded(words):
    """`BertTokenizer(vocab_file=...)` silently reads everything as [UNK]."""
    ids = words.encode("一只红色的cat在playing")

    assert tokenizer().decode(ids) == "一 只 红 色 的 cat 在 playing"
    assert words.pieces(ids) == ["一", "只", "红", "色", "的", "cat", "在", "play", "ing"]
    assert words.pieces([101, 100, 102, 0]) == ["[CLS]", "[UNK]", "[SEP]", "[PAD]"]
    assert words.pieces([]) == []


def test_a_tokenizer_that_reads_nothing_is_refused():
    with pytest.raises(TowerError) as caught:
        special_tokens(BertTokenizer(vocab_file=str(VOCABULARY)), 52)
    assert str(caught.value) == (
        "BertTokenizer has 5 entries and reads every word as [UNK]\n"
        "transformers 5 ignores BertTokenizer(vocab_file=...): give the file as the first "
        "argument."
    )


def test_a_tokenizer_of_another_kind_is_refused():
    clip = CLIPTokenizer.from_pretrained(str(folder() / "tokenizer"))
    with pytest.raises(TowerError) as caught:
        special_tokens(clip, 52)
    assert str(caught.value) == (
        "CLIPTokenizer has no [CLS], [SEP] and [PAD], so it is no BERT tokenizer"
    )


def test_special_tokens(words):
    special = special_tokens(tokenizer(), 52)

    assert (special.bos, special.eos, special.pad, special.stand_in) == (101, 102, 0, 103)
    assert (special.context_length, special.room, special.mask_padding) == (52, 50, True)
    assert special.commas == set(words.encode(",，、﹐﹑､")) == {117, 510, 8000, 8001, 8024, 8084}
    sentence, phrase, word = special.ends
    ids = dict(zip("。!，;猫", words.encode("。!，;猫"), strict=True))
    assert [c for c, i in ids.items() if i in sentence] == ["。", "!"]
    assert [c for c, i in ids.items() if i in phrase] == ["。", "!", "，", ";"]
    assert [c for c, i in ids.items() if i in word] == list(ids)
    assert not any(i in word for i in words.encode("playing a"))


def test_whole_words(words):
    assert [t for t in ("猫", "cat", "##cat", "##猫", "，", "[CLS]") if words.is_word(t)] == [
        "猫",
        "cat",
    ]


def test_it_can_be_copied(words):
    again = pickle.loads(pickle.dumps(words))
    for case in STRINGS:
        assert again.encode(case["text"]) == case["ids"]


def test_another_vocabulary(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n猫\n狗\n", encoding="utf-8")

    assert WordPieceTokenizer(chinese_tokenizer(path)).encode("狗猫人") == [6, 5, 1]
    path.write_text("{}")
    with pytest.raises(CheckpointError) as caught:
        chinese_tokenizer(path)
    assert str(caught.value) == (
        f"{str(path)!r} is no WordPiece vocabulary: it has no [UNK] and [CLS]\n"
        "A vocab.txt has one entry on each line."
    )
    path.write_bytes(b"[UNK]\n[CLS]\n\xff")
    with pytest.raises(CheckpointError, match="cannot be read: 'utf-8' codec"):
        chinese_tokenizer(path)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"cannot be read: .*No such file"):
        chinese_tokenizer(path)


@pytest.mark.parametrize(
    ("config", "ids"),
    [(None, [10165, 4344]), ({}, [10165, 4344]), ({"do_lower_case": False}, [100, 4344])],
)
def test_a_vocabulary_alone_is_read_in_lower_case(tmp_path, config, ids):
    """As published; transformers 5.0 and 5.23 would choose differently."""
    (tmp_path / "vocab.txt").write_bytes(VOCABULARY.read_bytes())
    if config is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))

    assert WordPieceTokenizer(tokenizer_in(tmp_path)).encode("Cat猫") == ids


def test_a_saved_tokenizer_is_read_as_saved(tmp_path):
    tokenizer().save_pretrained(tmp_path / "tokenizer")

    found = WordPieceTokenizer(tokenizer_in(tmp_path / "text_encoder"))

    assert found.encode("Cat猫") == [10165, 4344]


def test_a_folder_without_a_tokenizer(tmp_path):
    inner = tmp_path / "text_encoder"
    with pytest.raises(CheckpointError) as caught:
        tokenizer_in(inner)
    assert str(caught.value) == (
        f"there is no tokenizer for {str(inner)!r}\n"
        f"Looked for tokenizer.json or vocab.txt in: {inner}, {tmp_path / 'tokenizer'}"
    )
    inner.mkdir()
    (inner / "tokenizer.json").write_text("{")
    with pytest.raises(CheckpointError) as caught:
        tokenizer_in(inner)
    assert str(caught.value).startswith(f"the tokenizer in {str(inner)!r} is broken: ")


@pytest.mark.parametrize("kind", ["Unigram", "BPE", "WordLevel"])
def test_a_tokenizer_of_another_kind_is_not_split_by_berts_rules(tmp_path, kind):
    tokenizer().save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values["model"]["type"] = kind
    path.write_text(json.dumps(values), encoding="utf-8")

    with pytest.raises(CheckpointError, match=f"is of kind {kind}, not WordPiece: BERT's rules"):
        tokenizer_in(tmp_path)


def test_the_vocabulary_is_the_published_one():
    digest = hashlib.sha256(VOCABULARY.read_bytes()).hexdigest()

    assert digest in (folder().parent / "LICENSES.md").read_text(encoding="utf-8")
    assert len(tokenizer()) == 21128
