"""Cut a prompt's tokens into chunks of a tower's context length. No torch."""

from clipcond.chunking.chunks import (
    TokenChunk,
    change_weights,
    chunk,
    common_length,
    empty_chunk,
    joined_rows,
    pad_tokens,
    tokenize,
    tokenize_each,
)
from clipcond.chunking.splitters import (
    Splitter,
    comma_backtrack,
    hard,
    inner_ids,
    phrases,
    sentences,
    whole_groups,
    words,
)
from clipcond.chunking.tokens import Token

__all__ = [
    "Splitter",
    "Token",
    "TokenChunk",
    "change_weights",
    "chunk",
    "comma_backtrack",
    "common_length",
    "empty_chunk",
    "hard",
    "inner_ids",
    "joined_rows",
    "pad_tokens",
    "phrases",
    "sentences",
    "tokenize",
    "tokenize_each",
    "whole_groups",
    "words",
]
