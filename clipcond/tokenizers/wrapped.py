"""A transformers tokenizer behind the Tokenizer protocol: what BPE and WordPiece share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from itertools import count, takewhile
from pathlib import Path
from typing import Any, TypeVar

from clipcond.errors import CheckpointError
from clipcond.tokenizers.inversions import Inversions

__all__ = ["WrappedTokenizer", "added_inversions", "single", "singles", "tokenizer_near"]

Kind = TypeVar("Kind", bound="WrappedTokenizer")

FEW = 5_000  # characters; more are worth the tokenizer's threads


class WrappedTokenizer:
    """A transformers tokenizer: text to ids without special tokens, ids to readable pieces.

    How a piece is written in the vocabulary, subclasses know. Textual inversions are those added to
    the tokenizer, as diffusers does it, and a tower's own.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.source = tokenizer
        self.inversions = Inversions(0, "")

    def knowing(self: Kind, inversions: Inversions) -> Kind:
        """The same tokenizer, for a tower with these inversions."""
        other = copy(self)
        other.inversions = inversions
        return other

    def encode(self, text: str) -> list[int]:
        """The ids of one text, bos and eos apart, of any length."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of several texts in one call."""
        rows = self._encode_few(texts) if sum(map(len, texts)) < FEW else None
        if rows is None:
            rows = self._encode_many(texts)
        vectors = added_inversions(self.source)
        if not vectors:
            return rows
        return [[i for first in ids for i in vectors.get(first, (first,))] for ids in rows]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Each id as readable text; special tokens by their names."""
        names = [self.inversions.piece(i) for i in ids]
        known = [i for i, name in zip(ids, names, strict=True) if name is None]
        tokens = iter(self.source.convert_ids_to_tokens(known))
        special = set(self.source.all_special_tokens)
        texts = (token if token in special else self.readable(token) for token in tokens)
        return [next(texts) if name is None else name for name in names]

    def named(self, name: str) -> tuple[int, ...]:
        """The ids of a textual inversion; none if there is none of that name."""
        ours = self.inversions.ids(name)
        added = self.source.added_tokens_encoder
        if ours or name not in added or name in self.source.all_special_tokens:
            return ours
        return tuple(added_inversions(self.source).get(added[name], (added[name],)))

    def has_added(self, name: str) -> bool:
        """Whether the tokenizer itself was given such a token, as it was its bos and eos."""
        return name in self.source.added_tokens_encoder

    def split_at_names(self, text: str) -> list[str | tuple[int, ...]]:
        """The text between the names of the tower's own inversions, and in their places ids."""
        return self.inversions.split(text)

    def without_names(self, text: str) -> str:
        """The text without the names of inversions."""
        pieces = self.inversions.split(text)
        text = " ".join(piece for piece in pieces if isinstance(piece, str))
        special = self.source.all_special_tokens
        for name in self.source.added_tokens_encoder:
            text = text if name in special else text.replace(name, " ")
        return text

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


def added_inversions(tokenizer: Any) -> dict[int, list[int]]:
    """Textual inversions of several vectors, by the id of the first: <foo>, <foo>_1, <foo>_2.

    Looked up at every call, for they are added to a tokenizer in use. Source: diffusers,
    loaders/textual_inversion.py, which names them so.
    """
    added = tokenizer.added_tokens_encoder
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


def tokenizer_near(folder: Path, names: Sequence[str], read: Callable[[Path], Any]) -> Any:
    """The tokenizer in a model's folder, or in the one beside it, `tokenizer`.

    Args:
        names: of its files, any of which says that it lies there.
        read: opens the one in a folder.
    Raises:
        CheckpointError: there is none, or it is broken.
    """
    beside = folder.parent / folder.name.replace("text_encoder", "tokenizer")
    places = list(dict.fromkeys([folder, beside]))
    for place in places:
        if not any((place / name).is_file() for name in names):
            continue
        try:
            return read(place)
        except CheckpointError:
            raise
        except Exception as error:  # a broken file: whatever the tokenizers library raises
            message = f"the tokenizer in {str(place)!r} is broken: {error}"
            raise CheckpointError(message, place) from error
    raise CheckpointError(
        f"there is no tokenizer for {str(folder)!r}",
        folder,
        f"Looked for {' or '.join(names)} in: {', '.join(map(str, places))}",
    )
