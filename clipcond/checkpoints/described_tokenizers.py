"""Open the tokenizer of a described tower, and wrap it as the tower does, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipcond.checkpoints.places import NAMES, TOKENIZER_FILES
from clipcond.tokenizers import clip_bpe, word_piece
from clipcond.tokenizers.base import SpecialTokens
from clipcond.tokenizers.clip_bpe import ClipBpeTokenizer, default_context_length
from clipcond.tokenizers.folders import open_tokenizer
from clipcond.tokenizers.from_files import FileTokenizer, bert_from_files, clip_from_files
from clipcond.tokenizers.word_piece import LONGEST_WORD, TRAINED_LENGTH, WordPieceTokenizer
from clipcond.tokenizers.wrapped import WrappedTokenizer
from clipcond.towers.modules import choose_context_length


def clip_in(folder: Path) -> FileTokenizer:
    return open_tokenizer(folder, TOKENIZER_FILES, clip_from_files, folder.parent / "tokenizer")


def bert_in(folder: Path) -> FileTokenizer:
    return open_tokenizer(folder, word_piece.TOKENIZER_FILES, bert_from_files)


def shipped_clip(**choices: str | int) -> FileTokenizer:
    """Open OpenAI's vocabulary, which comes with the embedded model."""
    return clip_from_files(NAMES["embedded"]() / "tokenizer", **choices)


def chinese(_: Path | None = None) -> FileTokenizer:
    """Open the tokenizer that `chinese_tokenizer` builds."""
    folder = NAMES["embedded-zh"]()
    return bert_from_files(folder, LONGEST_WORD, split_special_tokens=True, do_lower_case=True)


def wrap_clip(
    source: Any, n_positions: int, name: str, kind: type[ClipBpeTokenizer] = ClipBpeTokenizer
) -> tuple[WrappedTokenizer, SpecialTokens]:
    default = default_context_length(source, n_positions)
    length = choose_context_length(None, default, n_positions, name)
    tokenizer = kind(source)
    return tokenizer, clip_bpe.special_tokens(source, length, tokenizer.inversions)


def wrap_bert(source: Any, n_positions: int, name: str) -> tuple[WrappedTokenizer, SpecialTokens]:
    length = choose_context_length(None, TRAINED_LENGTH, n_positions, name)
    return WordPieceTokenizer(source), word_piece.special_tokens(source, length)
