"""Which words and characters of a prompt mean something to a CLIP tower."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import torch
from torch import Tensor

from clipcond.towers.clip_bpe import END_OF_WORD, ClipBpeTokenizer, readable

__all__ = ["blank_rows", "known_words", "tell_bytes", "tell_unknown"]

UNITS = re.compile(r"[^\W\d_]+|[^\w\s]")
N_SAMPLED = 64
N_SHOWN = 8


def blank_rows(table: Tensor) -> bool:
    """Whether an embedding table has all-zero rows: tokens that its training never saw."""
    step = max(1, len(table) // N_SAMPLED)
    return not table.is_meta and bool((table[::step] == 0).all(dim=-1).any())


def known_words(table: Tensor, tokenizer: ClipBpeTokenizer) -> int:
    """How many whole words have a row that is not zero."""
    seen = (table != 0).any(dim=-1).tolist()
    vocabulary = tokenizer.source.get_vocab()
    return sum(
        entry.endswith(END_OF_WORD) and readable(entry).isalpha()
        for entry, i in vocabulary.items()
        if i < len(seen) and seen[i]
    )


def tell_unknown(
    name: str, texts: Sequence[str], table: Tensor, tokenizer: ClipBpeTokenizer, n_known: int
) -> str:
    """Name the words, and signs beyond ASCII, of which some token has an all-zero row."""
    found = [unit.lower() for text in texts for unit in UNITS.findall(text)]
    units = list(dict.fromkeys(u for u in found if u.isalpha() or _is_sign(u)))
    ids = tokenizer.encode_batch(units)
    flat = sorted({i for row in ids for i in row})
    is_blank = (table[torch.tensor(flat, dtype=torch.long, device=table.device)] == 0).all(dim=-1)
    blank = {i for i, empty in zip(flat, is_blank.tolist(), strict=True) if empty}
    unknown = [unit for unit, row in zip(units, ids, strict=True) if not blank.isdisjoint(row)]
    if not unknown:
        return ""
    told = f"{name!r} knows {n_known} words"
    if not all(unit.isascii() for unit in unknown):
        lost = set(unknown)
        n_lost = sum(len(unit) for unit in found if unit in lost)
        n_all = _n_characters(texts)
        told += f" and reads {n_all - n_lost} of the {n_all} characters here"
    return f"{told}; it cannot read {_listed(unknown)}"


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
