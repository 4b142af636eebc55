"""XLM-RoBERTa's SentencePiece tokenizer behind the Tokenizer protocol."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clipcond.errors import TowerError
from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.folders import open_tokenizer
from clipcond.tokenizers.word_piece import UNITS, chinese_special_tokens, is_chinese
from clipcond.tokenizers.wrapped import WrappedTokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# The defaults where a folder does not say. Source: transformers, XLMRobertaTokenizer
FRAME = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}

WORD = "\u2581"  # precedes the first piece of a word


class SentencePieceTokenizer(WrappedTokenizer):
    """A transformers XLM-RoBERTa tokenizer: text to ids without special tokens, ids to pieces.

    Every text begins a word. So does each weighted segment of a prompt, which is encoded by itself:
    `一只(红色的:1.3)` has a mark before `红色的` that `一只红色的` does not have.
    """

    units = UNITS

    def readable(self, token: str) -> str:
        """Write an entry as text, without the mark of a word's beginning if there is more."""
        return token.removeprefix(WORD) or token

    def is_word(self, token: str) -> bool:
        """Whether an entry begins a word, or consists of Chinese characters."""
        text = token.removeprefix(WORD)
        return text.isalpha() and (text != token or is_chinese(text))


def special_tokens(tokenizer: PreTrainedTokenizerBase, context_length: int) -> SpecialTokens:
    """Read the special tokens of a transformers XLM-RoBERTa tokenizer.

    Chinese and ASCII punctuation count alike. Padding is hidden from attention, as in training, and
    <mask> replaces a word that is left out.

    Raises:
        TowerError: it is no XLM-RoBERTa tokenizer, or one without a vocabulary.
    """
    frame = (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    if None in frame or not entries_of(tokenizer, ""):
        raise TowerError(
            f"{type(tokenizer).__name__} has no <s>, </s>, <pad> and {WORD}, so it is no "
            f"XLM-RoBERTa tokenizer, or one without a vocabulary"
        )
    ids_of = partial(entries_of, tokenizer)
    return chinese_special_tokens(tokenizer, frame, context_length, ids_of, WORD)


def tokenizer_in(folder: Path) -> PreTrainedTokenizerBase:
    """Open the XLM-RoBERTa tokenizer of a model's folder.

    All of its tokenizer.json is used. transformers' XLMRobertaTokenizer would drop a part, in 5.0
    the normalization, and read full-width letters and signs as <unk>.

    Raises:
        CheckpointError: there is none, or it is broken.
    """
    return open_tokenizer(folder, ("tokenizer.json",), _read_tokenizer)


def _read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import PreTrainedTokenizerFast

    tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(
        str(folder), local_files_only=True
    )
    for role, token in FRAME.items():
        if getattr(tokenizer, role) is None:
            setattr(tokenizer, role, token)
    return tokenizer


def entries_of(tokenizer: PreTrainedTokenizerBase, characters: str) -> frozenset[int]:
    """Look up single characters within a word and at its beginning; for "" the mark alone."""
    entries = [mark + character for character in characters or [""] for mark in ("", WORD)]
    ids = (tokenizer.convert_tokens_to_ids(entry) for entry in entries if entry)
    return frozenset(i for i in ids if isinstance(i, int) and i != tokenizer.unk_token_id)
