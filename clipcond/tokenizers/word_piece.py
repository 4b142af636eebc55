"""BERT's WordPiece tokenizer behind the Tokenizer protocol, with the Chinese vocabulary."""

from __future__ import annotations

import re
import unicodedata
from importlib.resources import files
from pathlib import Path
from typing import Any

from clipcond.errors import CheckpointError, TowerError
from clipcond.files import read_json
from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.wrapped import WrappedTokenizer, singles, tokenizer_near

__all__ = [
    "COMMAS",
    "PHRASE_ENDS",
    "SENTENCE_ENDS",
    "UNITS",
    "WholeWords",
    "WordPieceTokenizer",
    "chinese_tokenizer",
    "is_chinese",
    "special_tokens",
    "tokenizer_in",
]

TOKENIZER_FILES = ("tokenizer.json", "vocab.txt")

CONTINUED = "##"
# Chinese characters as BERT separates them. Source: google-research/bert, tokenization.py.
HAN = (
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf"
    "\U0002f800-\U0002fa1f"
)
UNITS = re.compile(rf"[{HAN}]|[^\W\d_{HAN}]+|[^\w\s]")  # a Chinese character, a word, a sign
COMMAS = ",，、﹐﹑､"  # all of them part the tags of a list
SENTENCE_ENDS = ".。．!！?？"
PHRASE_ENDS = f"{SENTENCE_ENDS},，、;；:："
LONGEST_WORD = 200  # characters; a longer word is unknown. Source: cn_clip 1.6.0, bert_tokenizer.py


class WordPieceTokenizer(WrappedTokenizer):
    """A transformers BERT tokenizer: text to ids without special tokens, ids to readable pieces."""

    def readable(self, token: str) -> str:
        """An entry as text; the rest of a word without the mark that says so."""
        return token.removeprefix(CONTINUED)

    def is_word(self, token: str) -> bool:
        """Whether an entry is a whole word or a character, not the rest of one."""
        return token.isalpha()


def special_tokens(tokenizer: Any, context_length: int) -> SpecialTokens:
    """What a transformers BERT tokenizer says of its tokens.

    Chinese and ASCII punctuation count alike. Padding is hidden from attention, as in training, and
    [MASK] stands in for what is left out.

    Raises:
        TowerError: it is no BERT tokenizer, or one without a vocabulary.
    """
    frame = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
    if None in frame:
        raise TowerError(
            f"{type(tokenizer).__name__} has no [CLS], [SEP] and [PAD], so it is no BERT tokenizer"
        )
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise TowerError(
            f"{type(tokenizer).__name__} has {len(tokenizer)} entries and reads every word as "
            f"{tokenizer.unk_token}",
            "transformers 5 ignores BertTokenizer(vocab_file=...): give the file as the first "
            "argument.",
        )
    bos, eos, pad = frame
    return SpecialTokens(
        bos=bos,
        eos=eos,
        pad=pad,
        context_length=context_length,
        mask_padding=True,
        commas=singles(tokenizer, COMMAS),
        ends=(
            singles(tokenizer, SENTENCE_ENDS),
            singles(tokenizer, PHRASE_ENDS),
            WholeWords(tokenizer),
        ),
        stand_in=tokenizer.mask_token_id,
    )


class WholeWords:
    """The ids that surely end a word: Chinese characters and punctuation.

    Whether a piece of another script ends its word, only the piece behind it can tell.

    Args:
        tokenizer: a transformers tokenizer.
        mark: what stands before the first piece of a word.
    """

    def __init__(self, tokenizer: Any, mark: str = "") -> None:
        self.source = tokenizer
        self.mark = mark

    def __contains__(self, token_id: object) -> bool:
        token = str(self.source.convert_ids_to_tokens(token_id)).removeprefix(self.mark)
        is_sign = len(token) == 1 and unicodedata.category(token).startswith("P")
        return is_sign or is_chinese(token)


def is_chinese(text: str) -> bool:
    """Whether a text is of Chinese characters alone, one or more."""
    return re.fullmatch(f"[{HAN}]+", text) is not None


def chinese_tokenizer(vocabulary: Path | None = None) -> Any:
    """cn_clip's tokenizer: transformers' class, set to give the ids that cn_clip gives.

    Typed names of special tokens are plain text, and a word may be longer than transformers has it.

    Args:
        vocabulary: a vocab.txt, one entry a line; None = the one of 21,128 entries that comes with
            clipcond, Google's for Chinese, on which all five sizes were trained.
    Raises:
        CheckpointError: there is no such file, or it holds no vocabulary.
    """
    from transformers import BertTokenizer

    path = _own_vocabulary() if vocabulary is None else vocabulary
    try:
        entries = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error}", path) from error
    if "[UNK]" not in entries or "[CLS]" not in entries:
        raise CheckpointError(
            f"{str(path)!r} is no WordPiece vocabulary: it has no [UNK] and [CLS]",
            path,
            "A vocab.txt has one entry on each line.",
        )
    tokenizer = BertTokenizer(str(path), do_lower_case=True, split_special_tokens=True)
    tokenizer.backend_tokenizer.model.max_input_chars_per_word = LONGEST_WORD
    return tokenizer


def tokenizer_in(folder: Path) -> Any:
    """The BertTokenizer in a model's folder, or in the one beside it, `tokenizer`.

    Raises:
        CheckpointError: there is none, or it is broken.
    """
    return tokenizer_near(folder, TOKENIZER_FILES, _bert_tokenizer)


def _bert_tokenizer(place: Path) -> Any:
    from transformers import BertTokenizer

    stated = place / "tokenizer_config.json"
    says_case = stated.is_file() and "do_lower_case" in read_json(stated)
    # a vocab.txt alone, as published: transformers 5.0 would then tell upper from lower case
    is_bare = not says_case and not (place / "tokenizer.json").is_file()
    choices: dict[str, Any] = {"do_lower_case": True} if is_bare else {}
    return BertTokenizer.from_pretrained(str(place), local_files_only=True, **choices)


def _own_vocabulary() -> Path:
    return Path(str(files("clipcond"))) / "embedded" / "chinese_tokenizer" / "vocab.txt"
