"""Fold a prompt to ASCII signs, to find notations in whatever signs they were typed or copied.

One character becomes one character, so that positions stay: full-width letters, digits and signs,
look-alikes of colons, commas and brackets, and invisible characters, which become spaces. Dashes
and the middle dot stay, because in ordinary text they are themselves.
"""

from __future__ import annotations

import unicodedata
from itertools import chain

_WIDE = range(0xFF01, 0xFF5F)
_TO_ASCII = 0xFEE0
_LOOKALIKES = {
    ":": "∶꞉﹕︰︓ː˸׃",
    ".": "。｡․٫",
    ",": "﹐‚،",
    ";": "﹔؛",
    "(": "﹙❨⁽",
    ")": "﹚❩⁾",
    "[": "【",
    "]": "】",
    "{": "﹛❴",
    "}": "﹜❵",
    "<": "《〈‹«",
    ">": "》〉›»",
    "⟦": "〔〖「『〘〚｢❲⟨⦅｟﹝",
    "⟧": "〕〗」』〙〛｣❳⟩⦆｠﹞",
    "|": "∣│︱丨ǀ❘¦￨",
    "+": "﹢",
    "-": "−‐‑‒﹣",
    "*": "﹡∗",
    "/": "⁄∕",
    "#": "﹟",
    "%": "﹪٪",
    "&": "﹠",
    "=": "﹦",
    "~": "〜",
    '"': "“”„",
    "'": "‘’",
}
# Spaces but U+0020, fillers of Hangul, variation selectors, joiners and marks of direction.
_INVISIBLE = (
    *(0xA0, 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x1680, 0x180E, 0x3000, 0x3164, 0xFEFF, 0xFFA0),
    *chain(range(0x2000, 0x2010), range(0x2028, 0x2030), range(0x205F, 0x2070)),
    *range(0xFE00, 0xFE10),
)
_TABLE: dict[int, int | str] = {
    **{code: code - _TO_ASCII for code in _WIDE},
    **{zero + digit: str(digit) for zero in (0x660, 0x6F0, 0x966) for digit in range(10)},
    **{ord(sign): plain for plain, signs in _LOOKALIKES.items() for sign in signs},
    **dict.fromkeys(_INVISIBLE, " "),
}


def fold(source: str) -> str:
    """Replace signs and letters by the ASCII ones that they resemble, character for character."""
    return source.translate(_TABLE)


def odd_signs(source: str, read: str) -> str:
    """Name the characters that were folded although no syntax reads them so.

    Args:
        source: a piece of a prompt.
        read: the same piece with the signs that its syntax reads as ASCII replaced.
    """
    pairs = zip(source, read, fold(source), strict=True)
    odd = dict.fromkeys(typed for typed, known, folded in pairs if known != folded)
    return ", ".join(f"U+{ord(each):04X} {unicodedata.name(each, '')}".strip() for each in odd)
