"""A transformers tokenizer behind the Tokenizer protocol, whatever its vocabulary is like."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast
from weakref import ref

from clipcond.tokenizers.inversions import Inversions

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

Kind = TypeVar("Kind", bound="WrappedTokenizer")

FEW = 5_000  # characters; for more, the tokenizer's thread pool pays
N_SAMPLED = 64  # rows of a table that are searched for zeros
N_SHOWN = 8  # unread words that a message lists


class StoredTable(Protocol):
    """Token embeddings [V D] that are not in memory."""

    def __len__(self) -> int: ...

    def blanks(self, rows: Sequence[int]) -> list[bool]:
        """Say of some rows whether all of their values are zero."""


Table: TypeAlias = "Tensor | StoredTable"


class WrappedTokenizer:
    """A transformers tokenizer: text to ids without special tokens, ids to readable pieces.

    Subclasses know how their vocabulary writes a piece. Textual inversions are those added to the
    transformers tokenizer, as diffusers does it, and a tower's own.

    Attributes:
        source: the transformers tokenizer.
        inversions: the tower's own.
        units: matches what `unread` counts as one word.
        reads_bytes: whether the vocabulary has an entry for every byte, so for any text.
    """

    reads_bytes = False
    units = re.compile(r"[^\W\d_]+|[^\w\s]")

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.source = tokenizer
        self.inversions = Inversions(0, "")
        # a table, whether some of its rows are zero, and how many words the others are
        self._looked_at: tuple[ref[Any] | None, bool] = (None, False)
        self._n_words: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_looked_at": (None, False)}  # weak references cannot be pickled

    def with_inversions(self: Kind, inversions: Inversions) -> Kind:
        """Copy this tokenizer for a tower with these inversions."""
        other = copy(self)
        other.inversions = inversions
        return other

    def encode(self, text: str) -> list[int]:
        """Encode one text, without bos and eos, of any length."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Encode several texts in one call."""
        rows = self._encode_few(texts) if sum(map(len, texts)) < FEW else None
        if rows is None:
            rows = self._encode_many(texts)
        vectors = added_inversions(self.source)
        if not vectors:
            return rows
        return [[i for first in ids for i in vectors.get(first, (first,))] for ids in rows]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Show each id as text; special tokens by their names."""
        names = [self.inversions.piece(i) for i in ids]
        known = [i for i, name in zip(ids, names, strict=True) if name is None]
        tokens = iter(self.source.convert_ids_to_tokens(known))
        special = set(self.source.all_special_tokens)
        texts = (token if token in special else self.readable(token) for token in tokens)
        return [next(texts) if name is None else name for name in names]

    def named(self, name: str) -> tuple[int, ...]:
        """Look up the ids of a textual inversion; none if there is no such name."""
        ours = self.inversions.ids(name)
        added = self.source.added_tokens_encoder
        if ours or name not in added or name in self.source.all_special_tokens:
            return ours
        return tuple(added_inversions(self.source).get(added[name], (added[name],)))

    def split_at_names(self, text: str) -> list[str | tuple[int, ...]]:
        """Split a text at the names of the tower's own inversions; ids replace the names."""
        return self.inversions.split(text) if self.inversions.by_name else [text]

    def without_names(self, texts: Iterable[str]) -> list[str]:
        """Leave out the names of inversions."""
        if self.inversions.by_name:
            split = map(self.split_at_names, texts)
            texts = (" ".join(p for p in pieces if isinstance(p, str)) for pieces in split)
        found, special = list(texts), set(self.source.all_special_tokens)
        for name in self.source.added_tokens_encoder:
            if name not in special:
                found = [text.replace(name, " ") for text in found]
        return found

    def readable(self, token: str) -> str:
        """Write an entry of the vocabulary as the text it means."""
        return token

    def is_word(self, token: str) -> bool:
        """Whether an entry of the vocabulary is a whole word, or a character that is one."""
        return token.isalpha()

    def bytes_only(self, texts: Sequence[str]) -> list[str]:
        """List the characters that reach the tower as bytes only, as often as there."""
        return []

    def unread_characters(self, tower: str, texts: Sequence[str]) -> str:
        """Describe the characters of `bytes_only`; "" if there are none."""
        return ""

    def unread(self, tower: str, texts: Sequence[str], table: Table) -> str:
        """Describe the words and characters that mean nothing to a tower.

        They are those outside the vocabulary, which all become the same token, and those that the
        training of a tower with few words never saw: their rows of the table are zero.

        Args:
            tower: its name.
            table: its token embeddings [V D].
        Returns:
            a message, or "" if everything can be read.
        """
        if self.reads_bytes:
            has_all = not self._has_blank(table)
            if has_all and all(map(str.isascii, texts)):
                return ""
            texts = self.without_names(texts)
            if has_all:
                return self.unread_characters(tower, texts)
        unknown = self.unread_words(texts, table)
        if not unknown:
            return ""
        has_blank = self._has_blank(table)
        facts = [f"knows {self._count_words(table)} words"] if has_blank else []
        if not has_blank or not all(unit.isascii() for unit in unknown):
            lost, n_all = set(unknown), n_characters(texts)
            n_lost = sum(len(unit) for unit in self._units(texts) if unit in lost)
            facts.append(f"reads {n_all - n_lost} of the {n_all} characters here")
        return f"{tower!r} {' and '.join(facts)}; it cannot read {listed(unknown)}"

    def unread_words(self, texts: Sequence[str], table: Table) -> list[str]:
        """List what `unread` describes: words in small letters and characters, each once."""
        if self.reads_bytes:
            texts = self.without_names(texts)
            if not self._has_blank(table):
                return list(dict.fromkeys(self.bytes_only(texts)))
        words = list(dict.fromkeys(self._units(texts)))
        rows = self.encode_batch(words)
        ids = sorted({i for row in rows for i in row})
        unknown = {self.source.unk_token_id}
        lost = unknown.union(_blank(table, ids) if self._has_blank(table) else ())
        # numbers and punctuation mean little: of those only what becomes another token counts
        ids_of = {w: lost if w.isalpha() or is_sign(w) else unknown for w in words}
        return [w for w, row in zip(words, rows, strict=True) if not ids_of[w].isdisjoint(row)]

    def _units(self, texts: Sequence[str]) -> list[str]:
        return [unit.lower() for text in texts for unit in self.units.findall(text)]

    def _has_blank(self, table: Table) -> bool:
        """Whether some of the sampled rows are zero, looked up once for each table."""
        known, has_blank = self._looked_at
        if known is None or known() is not table:
            # padding's is zero in every BERT and RoBERTa
            pad, step = self.source.pad_token_id, max(1, len(table) // N_SAMPLED)
            has_blank = any(_blanks(table, [i for i in range(1, len(table), step) if i != pad]))
            self._looked_at, self._n_words = (ref(table), has_blank), None
        return has_blank

    def _count_words(self, table: Table) -> int:
        """Count the words whose rows are not zero, once for each table with such rows."""
        if self._n_words is None:
            blank = _blanks(table, range(len(table)))
            known = [i for i, is_blank in enumerate(blank) if not is_blank]
            entries = filter(None, self.source.convert_ids_to_tokens(known))
            self._n_words = sum(map(self.is_word, entries))
        return self._n_words

    def _encode_few(self, texts: Sequence[str]) -> list[list[int]] | None:
        """Encode texts one by one: for a prompt's segments a thread pool costs more than it saves.

        None if the tokenizer is set to truncate, pad, or split special tokens otherwise, as a
        pipeline's last call or a copy leaves it: `_encode_many` resets that.
        """
        backend = getattr(self.source, "backend_tokenizer", None)
        if backend is None or backend.truncation is not None or backend.padding is not None:
            return None
        if backend.encode_special_tokens != getattr(self.source, "split_special_tokens", False):
            return None
        return [backend.encode(text, add_special_tokens=False).ids for text in texts]

    def _encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:  # of which transformers 5 makes an IndexError
            return []
        encoded = self.source(
            list(texts),
            add_special_tokens=False,
            truncation=False,
            padding=False,
            return_attention_mask=False,
            verbose=False,  # no warning about a text longer than one chunk
        )
        return [list(ids) for ids in encoded["input_ids"]]


def added_inversions(tokenizer: PreTrainedTokenizerBase) -> dict[int, list[int]]:
    """Find added inversions of several vectors, by the id of the first: <foo>, <foo>_1, <foo>_2.

    Looked up at every call, since they are added to a tokenizer in use. Source of the names:
    diffusers, loaders/textual_inversion.py.
    """
    added = tokenizer.added_tokens_encoder
    vectors: dict[int, list[int]] = {}
    for token in [token for token in added if f"{token}_1" in added]:
        names = takewhile(added.__contains__, (f"{token}_{n}" for n in count(1)))
        vectors[added[token]] = [added[token], *(added[name] for name in names)]
    return vectors


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The ids for which a test holds, where they are too many to list, or come and go."""

    holds_for: Callable[[int], bool]

    def __contains__(self, token_id: object) -> bool:
        return isinstance(token_id, int) and self.holds_for(token_id)


def single_token_id(tokenizer: PreTrainedTokenizerBase, text: str) -> int | None:
    """Look up the id of a text that is one known token; None for any other."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return int(ids[0]) if len(ids) == 1 and ids[0] != tokenizer.unk_token_id else None


def single_token_ids(tokenizer: PreTrainedTokenizerBase, characters: str) -> frozenset[int]:
    """Look up the ids of those characters that are one known token each."""
    ids = (single_token_id(tokenizer, character) for character in characters)
    return frozenset(i for i in ids if i is not None)


def is_sign(unit: str) -> bool:
    """Whether it is an emoji or another symbol beyond ASCII; not a letter, digit, punctuation."""
    return len(unit) == 1 and not unit.isascii() and unicodedata.category(unit) == "So"


def n_characters(texts: Sequence[str]) -> int:
    """Count the characters of some texts, spaces left out."""
    return sum(not c.isspace() for text in texts for c in text)


def listed(units: Sequence[str]) -> str:
    """List words for a message: the first few, each cut to 30 characters."""
    short = (unit if len(unit) <= 30 else unit[:27] + "..." for unit in units[:N_SHOWN])
    shown = ", ".join(map(repr, short))
    return f"{shown} and {len(units) - N_SHOWN} more" if len(units) > N_SHOWN else shown


def _blanks(table: Table, rows: Sequence[int]) -> list[bool]:
    """Say of some rows whether they are zero; none is where their values are not known."""
    if not hasattr(table, "is_meta"):
        return table.blanks(rows)
    tensor = cast("Tensor", table)
    if tensor.is_meta:
        return [False] * len(rows)
    chosen = tensor if len(rows) == len(tensor) else tensor[list(rows)]
    return chosen.eq(0).all(dim=-1).tolist()


def _blank(table: Table, ids: Sequence[int]) -> list[int]:
    return [i for i, is_blank in zip(ids, _blanks(table, ids), strict=True) if is_blank]
