"""Decode UTF-16 of which the file does not say the order of bytes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

# The bytes that common signs begin with, in the encodings of the languages that have them.
# Source: GB 2312, Big5, JIS X 0208 and KS X 1001; rows of punctuation, kana and common signs.
_COMMON = {
    "gb2312": (range(0xA1, 0xA4), range(0xB0, 0xD8)),
    "big5": (range(0xA1, 0xC7),),
    "euc_jp": (range(0xA1, 0xA2), range(0xA4, 0xA6), range(0xB0, 0xD0)),
    "euc_kr": (range(0xA1, 0xA2), range(0xB0, 0xC9)),
}
_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "FULLWIDTH")
_NO_TEXT = frozenset({"Cc", "Cn", "Co", "Cs"})  # controls, and what is no sign at all
_CHANGES = re.compile("[A-Za-z](?=[^\x00-\x7f])|[^\x00-\x7f](?=[A-Za-z])")


def decode_utf_16(content: bytes) -> str:
    """Decode UTF-16 in the order of bytes in which its signs are the more usual ones.

    Each sign of ASCII, and each that begins a page of Unicode, as 一 does, has a zero byte: in the
    other order it is another sign. Of two equal readings, the one with more ASCII is taken.
    """
    return min((in_order(content, little) for little in (False, True)), key=_oddity)


def in_order(content: bytes, little: bool) -> str:
    """Decode UTF-16, without the byte order mark; what cannot be decoded becomes U+FFFD."""
    text = content.decode("utf-16-le" if little else "utf-16-be", "replace")
    return text.removeprefix("\ufeff")


def is_east_asian(text: str) -> bool:
    """Whether all signs are Chinese, Japanese or Korean; ASCII is not."""
    return all(unicodedata.name(sign, "").startswith(_EAST_ASIAN) for sign in text)


def _oddity(text: str) -> tuple[int, int, int]:
    """Measure how unusual a text is: its rare signs, letters next to signs, signs out of ASCII."""
    counts = Counter(text)
    rare = sum(n * _rarity(sign) for sign, n in counts.items())
    n_others = sum(n for sign, n in counts.items() if not sign.isascii())
    return rare, len(_CHANGES.findall(text)), n_others


def _rarity(sign: str) -> int:
    """Grade a sign: ASCII and the common East Asian, letters, other signs, and what is none."""
    if sign in "\t\n\r\0":  # a text may end in zeros
        return 0
    kind = unicodedata.category(sign)
    if sign == "\ufffd" or kind in _NO_TEXT:
        return 3
    if sign.isascii() or any(_is_common(sign, each) for each in _COMMON):
        return 0
    return 1 if kind.startswith("L") and not is_east_asian(sign) else 2


def _is_common(sign: str, encoding: str) -> bool:
    try:
        return any(sign.encode(encoding)[0] in rows for rows in _COMMON[encoding])
    except UnicodeEncodeError:
        return False
