"""Which words and characters of a prompt mean something to a tower."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from clipcond.tokenizers.clip_bpe import ClipBpeTokenizer
from clipcond.tokenizers.wrapped import WrappedTokenizer

__all__ = ["KnownWords", "blank_ids", "tell_bytes", "tell_unknown"]

UNITS = re.compile(r"[^\W\d_]+|[^\w\s]")
N_SAMPLED = 64
N_SHOWN = 8


class KnownWords:
    """How many words a tower knows that was trained on few: counted once for each table."""

    def __init__(self) -> None:
        self._counted: tuple[int, int | None] = (0, None)  # which table, its words if few

    def of(self, table: Tensor, tokenizer: WrappedTokenizer) -> int | None:
        """The number of whole words with a row that is not zero; None where no row is."""
        if self._counted[0] != id(table):
            has_blank = _has_blank_rows(table, tokenizer.source.pad_token_id)
            n_known = _known_words(table, tokenizer) if has_blank else None
            self._counted = (id(table), n_known)
        return self._counted[1]


def _has_blank_rows(table: Tensor, pad: int | None) -> bool:
    """Whether an embedding table has all-zero rows: tokens that its training never saw."""
    step = max(1, len(table) // N_SAMPLED)
    # a padding token's row is zero in every BERT, where it is id 0, and RoBERTa, where it is id 1
    sampled = [i for i in range(1, len(table), step) if i != pad]
    return not table.is_meta and bool((table[sampled] == 0).all(dim=-1).any())


def _known_words(table: Tensor, tokenizer: WrappedTokenizer) -> int:
    seen = (table != 0).any(dim=-1).tolist()
    vocabulary = tokenizer.source.get_vocab()
    return sum(
        tokenizer.is_word(entry) for entry, i in vocabulary.items() if i < len(seen) and seen[i]
    )


def blank_ids(table: Tensor, ids: Sequence[int]) -> set[int]:
    """Those of the ids whose row is all zero."""
    rows = table[torch.tensor(ids, dtype=torch.long, device=table.device)]
    is_blank = (rows == 0).all(dim=-1).tolist()
    return {i for i, blank in zip(ids, is_blank, strict=True) if blank}


def tell_unknown(
    name: str,
    texts: Sequence[str],
    tokenizer: WrappedTokenizer,
    unreadable: Callable[[Sequence[int]], set[int]],
    n_known: int | None,
    units: re.Pattern[str] = UNITS,
) -> str:
    """Name the words, and signs beyond ASCII, of which some token is unreadable.

    Args:
        unreadable: which of some ids mean nothing to the tower.
        n_known: how many words it knows, if few.
        units: what is looked at as one word.
    """
    found = [unit.lower() for text in texts for unit in units.findall(text)]
    words = list(dict.fromkeys(u for u in found if u.isalpha() or _is_sign(u)))
    ids = tokenizer.encode_batch(words)
    lost_ids = unreadable(sorted({i for row in ids for i in row}))
    unknown = [word for word, row in zip(words, ids, strict=True) if not lost_ids.isdisjoint(row)]
    if not unknown:
        return ""
    told = [] if n_known is None else [f"knows {n_known} words"]
    if n_known is None or not all(unit.isascii() for unit in unknown):
        lost = set(unknown)
        n_lost = sum(len(unit) for unit in found if unit in lost)
        n_all = _n_characters(texts)
        told.append(f"reads {n_all - n_lost} of the {n_all} characters here")
    return f"{name!r} {' and '.join(told)}; it cannot read {_listed(unknown)}"


def tell_bytes(name: str, texts: Sequence[str], tokenizer: ClipBpeTokenizer) -> str:
    """Count the characters that no entry of the vocabulary holds whole."""
    lost = [c for text in texts if not text.isascii() for c in _broken(text, tokenizer)]
    if not lost:
        return ""
    n_all = _n_characters(texts)
    return (
        f"{name!r} reads {n_all - len(lost)} of the {n_all} characters here; the others reach it "
        f"as bytes it never learned: {_listed(list(dict.fromkeys(lost)))}"
    )


def _broken(text: str, tokenizer: ClipBpeTokenizer) -> list[str]:
    whole = {c: tokenizer.has_whole(c) for c in set(text) if c.isalpha() or _is_sign(c)}
    return [c for c in text if not whole.get(c, True)]


def _n_characters(texts: Sequence[str]) -> int:
    return sum(not c.isspace() for text in texts for c in text)


def _listed(units: Sequence[str]) -> str:
    short = (unit if len(unit) <= 30 else unit[:27] + "..." for unit in units[:N_SHOWN])
    shown = ", ".join(map(repr, short))
    return f"{shown} and {len(units) - N_SHOWN} more" if len(units) > N_SHOWN else shown


def _is_sign(character: str) -> bool:
    """Emoji and other symbols; not letters, digits or punctuation."""
    return not character.isascii() and unicodedata.category(character) == "So"
