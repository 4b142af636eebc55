"""Tokens to chunks of a tower's context length. No torch."""

from clipcond.chunking.chunks import TokenChunk, chunk, empty_chunk
from clipcond.chunking.lengths import common_length, equalize, fill, joined_rows
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
from clipcond.chunking.tokens import Token, tokenize

__all__ = [
    "Splitter",
    "Token",
    "TokenChunk",
    "chunk",
    "comma_backtrack",
    "common_length",
    "empty_chunk",
    "equalize",
    "fill",
    "hard",
    "inner_ids",
    "joined_rows",
    "phrases",
    "sentences",
    "tokenize",
    "whole_groups",
    "words",
]
