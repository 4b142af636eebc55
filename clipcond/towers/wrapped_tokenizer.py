"""A transformers tokenizer behind the Tokenizer protocol: what BPE and WordPiece share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, takewhile
from typing import Any

__all__ = ["WrappedTokenizer", "single", "singles"]

FEW = 5_000  # characters; more are worth the tokenizer's threads


class WrappedTokenizer:
    """A transformers tokenizer: text to ids without special tokens, ids to readable pieces.

    How a piece is written in the vocabulary, subclasses know.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.source = tokenizer

    def encode(self, text: str) -> list[int]:
        """The ids of one text, bos and eos apart, of any length."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of several texts in one call."""
        rows = self._encode_few(texts) if sum(map(len, texts)) < FEW else None
        if rows is None:
            rows = self._encode_many(texts)
        vectors = self._inversions()
        if not vectors:
            return rows
        return [[i for first in ids for i in vectors.get(first, (first,))] for ids in rows]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each id as readable text; special tokens by their names."""
        tokens = self.source.convert_ids_to_tokens(list(ids))
        special = set(self.source.all_special_tokens)
        return [token if token in special else self.readable(token) for token in tokens]

    def readable(self, token: str) -> str:
        """An entry of the vocabulary as the text it stands for."""
        return token

    def is_word(self, token: str) -> bool:
        """Whether an entry of the vocabulary is a whole word, or a sign that means as much."""
        return token.isalpha()

    def _encode_few(self, texts: Sequence[str]) -> list[list[int]] | None:
        """One by one: for a prompt's fragments a thread pool costs more than it saves."""
        backend = getattr(self.source, "backend_tokenizer", None)
        if backend is None or backend.truncation is not None or backend.padding is not None:
            return None  # as a pipeline's last call has left it; the call below resets that
        if backend.encode_special_tokens != getattr(self.source, "split_special_tokens", False):
            return None  # as a copy starts; the call below resets that too
        return [backend.encode(text, add_special_tokens=False).ids for text in texts]

    def _encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        # verbose=False: a text longer than one chunk is our daily bread, not worth a warning
        encoded = self.source(
            list(texts),
            add_special_tokens=False,
            truncation=False,
            padding=False,
            return_attention_mask=False,
            verbose=False,
        )
        return [list(ids) for ids in encoded["input_ids"]]

    def _inversions(self) -> dict[int, list[int]]:
        """Textual inversions of several vectors, by the id of the first: <foo>, <foo>_1, <foo>_2.

        Looked up at every call, for they are added to a tokenizer in use. Source: diffusers,
        loaders/textual_inversion.py, which names them so.
        """
        added = self.source.added_tokens_encoder
        vectors: dict[int, list[int]] = {}
        for token in added:
            names = takewhile(added.__contains__, (f"{token}_{n}" for n in count(1)))
            further = [added[name] for name in names]
            if further:
                vectors[added[token]] = [added[token], *further]
        return vectors


def single(tokenizer: Any, text: str) -> int | None:
    """The id of a text that is one known token, else None."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return int(ids[0]) if len(ids) == 1 and ids[0] != tokenizer.unk_token_id else None


def singles(tokenizer: Any, characters: str) -> frozenset[int]:
    """The ids of those characters that are one token each."""
    ids = (single(tokenizer, character) for character in characters)
    return frozenset(i for i in ids if i is not None)
