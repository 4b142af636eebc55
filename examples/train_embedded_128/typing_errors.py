"""Misspell words as people do: two letters swapped, one left out, doubled, or the key beside it."""

from __future__ import annotations

import random
import zlib
from functools import cache

from .nouns import NOUNS, plural

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
HELD_OUT = 4  # one misspelling in so many is only evaluated
TRIES = 50


@cache
def _words() -> frozenset[str]:
    names = [name for noun in NOUNS for name in noun.names]
    return frozenset([*names, *map(plural, names)])


def is_held_out(text: str) -> bool:
    """Whether only evaluation uses a misspelling."""
    return zlib.crc32(text.encode()) % HELD_OUT == 0


def _once(text: str, rng: random.Random) -> str:
    places = [i for i, letter in enumerate(text) if letter.isalpha() and letter.isascii()]
    at = rng.choice(places)
    way = rng.randrange(4)
    if way == 0:
        return text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :]
    if way == 1:
        return text[:at] + text[at + 1 :]
    if way == 2:
        return text[:at] + text[at] + text[at:]
    row = next((row for row in ROWS if text[at] in row), "")
    near = row[max(0, row.find(text[at]) - 1)] if row and rng.random() < 0.5 else ""
    near = near or row[min(len(row) - 1, row.find(text[at]) + 1)] if row else text[at]
    return text[:at] + near + text[at + 1 :]


def misspelt(text: str, rng: random.Random, *, held_out: bool = False) -> str:
    """Misspell one letter of `text`; of short words nothing, for they become other words."""
    if len(text) < 4:
        return text
    for _ in range(TRIES):
        made = _once(text, rng)
        if made != text and made not in _words() and is_held_out(made) == held_out:
            return made
    return text
