"""XLM-RoBERTa's SentencePiece tokenizer behind the Tokenizer protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipcond.errors import TowerError
from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.word_piece import (
    COMMAS,
    PHRASE_ENDS,
    SENTENCE_ENDS,
    WholeWords,
    is_chinese,
)
from clipcond.tokenizers.wrapped import WrappedTokenizer, tokenizer_near

__all__ = ["SentencePieceTokenizer", "special_tokens", "tokenizer_in"]

TOKENIZER_FILES = ("tokenizer.json",)
# What a folder need not say. Source: transformers, XLMRobertaTokenizer
FRAME = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}

WORD = "\u2581"  # stands before the first piece of a word


class SentencePieceTokenizer(WrappedTokenizer):
    """A transformers XLM-RoBERTa tokenizer: text to ids without special tokens, ids to pieces.

    Every text begins a word, and so does each weighted piece of a prompt, which is a text of its
    own: between `一只` and `(红色的:1.3)` stands a mark that `一只红色的` does not have.
    """

    def readable(self, token: str) -> str:
        """An entry as text; without the mark that a word begins, unless that is all there is."""
        return token.removeprefix(WORD) or token

    def is_word(self, token: str) -> bool:
        """Whether an entry is a whole word, or of Chinese characters."""
        text = token.removeprefix(WORD)
        return text.isalpha() and (text != token or is_chinese(text))


def special_tokens(tokenizer: Any, context_length: int) -> SpecialTokens:
    """What a transformers XLM-RoBERTa tokenizer says of its tokens.

    Chinese and ASCII punctuation count alike. Padding is hidden from attention, as in training, and
    <mask> stands in for what is left out.

    Raises:
        TowerError: it is no XLM-RoBERTa tokenizer, or one without a vocabulary.
    """
    bos, eos, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    if None in (bos, eos, pad) or not _entries(tokenizer, ""):
        raise TowerError(
            f"{type(tokenizer).__name__} has no <s>, </s>, <pad> and {WORD}, so it is no "
            f"XLM-RoBERTa tokenizer, or one without a vocabulary"
        )
    return SpecialTokens(
        bos=bos,
        eos=eos,
        pad=pad,
        context_length=context_length,
        mask_padding=True,
        commas=_entries(tokenizer, COMMAS),
        ends=(
            _entries(tokenizer, SENTENCE_ENDS),
            _entries(tokenizer, PHRASE_ENDS),
            WholeWords(tokenizer, WORD),
        ),
        stand_in=tokenizer.mask_token_id,
    )


def tokenizer_in(folder: Path) -> Any:
    """The XLM-RoBERTa tokenizer in a model's folder, or in the one beside it, `tokenizer`.

    Its tokenizer.json is taken as it stands. transformers' XLMRobertaTokenizer keeps of it what it
    knows, in 5.0 without the normalization, and would read full-width letters and signs as <unk>.

    Raises:
        CheckpointError: there is none, or it is broken.
    """
    return tokenizer_near(folder, TOKENIZER_FILES, _tokenizer)


def _tokenizer(place: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(place), local_files_only=True)
    for role, token in FRAME.items():
        if getattr(tokenizer, role) is None:
            setattr(tokenizer, role, token)
    return tokenizer


def _entries(tokenizer: Any, characters: str) -> frozenset[int]:
    """The ids of single characters, within a word and at its beginning; of "" the mark alone."""
    entries = [mark + character for character in characters or [""] for mark in ("", WORD)]
    ids = (tokenizer.convert_tokens_to_ids(entry) for entry in entries if entry)
    return frozenset(i for i in ids if i not in (None, tokenizer.unk_token_id))
