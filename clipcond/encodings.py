"""Decode texts of files as UTF-8, and recognise Chinese in GBK that happens to be UTF-8 as well."""

from __future__ import annotations

import re
import unicodedata
from codecs import BOM_UTF8
from itertools import pairwise

# Signs of two bytes in both: a common Chinese one in GBK, another letter in UTF-8.
_PAIRS = re.compile(rb"[\xc2-\xdf][\xa1-\xbf]")
_RUNS = re.compile(r"[^\x00-\x7f]{2,}")
# Of the letters of two bytes, as their names begin.
_SCRIPTS = frozenset("LATIN GREEK COPTIC CYRILLIC ARMENIAN HEBREW ARABIC SYRIAC THAANA NKO".split())
# Letters of western languages, Greek and Russian: in formulas and names they may be neighbours.
_USUAL = re.compile("[\u00c0-\u017f\u0386-\u03ce\u0401-\u045f]")
_MOST_SCRIPTS = 2


def decode_utf_8(content: bytes) -> str:
    """Decode a text, without the byte order mark.

    Few texts in GBK are UTF-8, but short ones may be: the bytes of 一只猫 are rare letters of three
    scripts in one word, as no language has them.

    Raises:
        UnicodeDecodeError: it is no UTF-8, or GBK; at the first byte that is not.
    """
    text = content.decode("utf-8-sig")
    pairs = _PAIRS.search(content)
    if pairs is None or content.startswith(BOM_UTF8) or not _PAIRS.sub(b"", content).isascii():
        return text
    if any(map(_is_mixed, _RUNS.findall(text))):
        raise UnicodeDecodeError("utf-8", content, *pairs.span(), "it is GBK")
    return text


def _is_mixed(run: str) -> bool:
    """Whether neighbours are letters of two scripts, one of them rare, or of more scripts."""
    named = ((sign, unicodedata.name(sign, "").partition(" ")[0]) for sign in run)
    letters = [(sign, script) for sign, script in named if script in _SCRIPTS]
    if len({script for _, script in letters}) > _MOST_SCRIPTS:
        return True
    return any(
        one != other and not (_USUAL.match(first) and _USUAL.match(second))
        for (first, one), (second, other) in pairwise(letters)
    )
