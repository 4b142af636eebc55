"""Decode texts in pictures' files whose encoding the file does not say, or says wrongly.

What programs wrote is UTF-8, else what the format has: Latin-1 in PNG, UTF-16 in EXIF. Chinese
systems write GBK, too. It is read as GBK only if it can hardly be anything else, with a warning if
it may be Japanese; where signs are lost, a warning shows the place.

Source: GB 2312-80: rows 1 and 3 are punctuation, 16 to 55 common signs, 56 to 87 others.
JIS X 0208: rows 16 to 47 are common signs, 48 to 84 others.
"""

from __future__ import annotations

import codecs
import re

from clipcond.encodings import decode_utf_8
from clipcond.errors import caret, warn
from clipcond.metadata.utf_16_orders import decode_utf_16, in_order, is_east_asian

_HIGH = re.compile(rb"[\x80-\xff]+")
_SIGNS, _COMMON, _RARE = (0xA1, 0xA3), range(0xB0, 0xD8), range(0xD8, 0xF8)
# No Korean syllable (EUC-KR) and no common sign of Big5 begins with a byte of these.
_CHINESE_ALONE = range(0xC9, 0xD8)
# Signs that are common in GB 2312 and rare in JIS X 0208: a third of Chinese, hardly any of
# Japanese. A text with fewer than one in six may be Japanese.
_RARE_IN_JAPANESE, _ONE_IN = range(0xD0, 0xD8), 6
# Signs of Latin-1 that are no letters, but for quotes and turned marks, which words begin with.
_NO_LETTERS = frozenset(range(0xA2, 0xC0)) - {0xAB, 0xBB, 0xBF}
# Letters of Latin-1 with marks: those of one mark, and of languages, in the order of alphabets.
_ALPHABETS = (
    *("áéíóúý", "àèìòù", "âêîôû", "äëïöüÿ", "ãñõ", "äöüß", "åäö", "æøå", "áéíóúüñ", "áéíñóúü"),
    *("áéíóöúü", "áæéíðóöúýþ", "àâæçéèêëîïôùûüÿ", "àáâãçéêíóôõú", "áàâãçéêíóôõú"),
)
_UNREAD = (
    "Its signs may be lost or others; use the picture's first file, or write the prompt again."
)


def of_gbk(content: bytes) -> str | None:
    """Decode GBK; None if it may be anything else.

    All bytes from 0x80 are pairs of GB 2312 for Chinese signs and punctuation, most of them common
    signs, some of which no other encoding of two bytes has, and not all bytes are letters of
    Latin-1.
    """
    pairs = _pairs(content)
    if not pairs or any(low < 0xA1 for _, low in pairs):
        return None
    signs = [pair for pair in pairs if pair[0] not in _SIGNS]
    common = [pair for pair in signs if pair[0] in _COMMON]
    is_chinese = all(high in _COMMON or high in _RARE for high, _ in signs)
    is_chinese &= len({*signs}) > 1 and len(common) > len(signs) / 2
    is_chinese &= any(high in _CHINESE_ALONE for high, _ in signs)
    is_chinese &= any(byte in _NO_LETTERS for pair in pairs for byte in pair)
    if not is_chinese:
        return None
    try:
        return content.decode("gbk")
    except UnicodeDecodeError:
        return None


def _pairs(content: bytes) -> list[tuple[int, int]] | None:
    """List the bytes from 0x80 in twos; None if some are without another."""
    runs = _HIGH.findall(content)
    if any(len(run) % 2 for run in runs):
        return None
    return [(run[i], run[i + 1]) for run in runs for i in range(0, len(run), 2)]


def _of_utf_8_or_gbk(content: bytes) -> str | None:
    """Decode UTF-8, or GBK, which a few short texts in GBK may seem to be; None = it is neither."""
    try:
        return decode_utf_8(content)
    except UnicodeDecodeError as error:
        if error.reason == "it is GBK":
            return content.decode("gbk")
    return of_gbk(content)


def of_latin_1(text: str) -> str:
    """Read as UTF-8 or GBK a text that was read as Latin-1, if it is one of them."""
    if text.isascii():
        return text
    try:
        content = text.encode("latin-1")
    except UnicodeEncodeError:
        return text
    return _of_utf_8_or_gbk(content) or text


def of_exif(content: bytes, *, is_utf_16: bool) -> str:
    """Decode a comment of EXIF or JPEG; what cannot be read becomes U+FFFD.

    Args:
        is_utf_16: whether the file says so; programs disagree on the order of bytes.
    """
    if is_utf_16 and content.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        return in_order(content, content.startswith(codecs.BOM_UTF16_LE))
    if is_utf_16 and b"\0" in content:
        return decode_utf_16(content)
    found = _of_utf_8_or_gbk(content)
    if found is None and is_utf_16 and len(content) % 2 == 0:  # without any ASCII
        text = decode_utf_16(content)
        found = text if is_east_asian(text) else None
    return content.decode("utf-8", "replace") if found is None else found


def warn_of_lost_signs(text: str, shown: str) -> None:
    """Warn of the first sign that could not be decoded.

    Args:
        shown: what the message calls the text.
    """
    place = text.find("\ufffd")
    if place >= 0:
        warn(f"{shown} is in an unknown encoding\n{caret(text, place)}\n{_UNREAD}")


def warn_of_a_guess(text: str, content: bytes, shown: str) -> None:
    """Warn of a text that was read as GBK, if it may as well be Japanese in EUC-JP.

    Args:
        content: what the text was read from.
        shown: what the message calls the text.
    """
    encoded = text.encode("gbk", "replace")
    signs = [pair for pair in _pairs(encoded) or () if pair[0] not in _SIGNS]
    n_rare = sum(high in _RARE_IN_JAPANESE for high, _ in signs)
    if encoded not in content or not signs or n_rare * _ONE_IN >= len(signs):
        return
    try:
        encoded.decode("euc_jp")
    except UnicodeDecodeError:
        return
    place = next(i for i, sign in enumerate(text) if not sign.isascii())
    warn(f"{shown} is read as GBK, but may be EUC-JP\n{caret(text, place)}\n{_UNREAD}")


def strange_place(text: str) -> int | None:
    """Find where a text that was read as Latin-1 seems to be in another encoding; None = nowhere.

    No text in Latin-1 has the controls 0x80 to 0x9F, and hardly any has four signs of its upper
    half in a row, unless they are the same, or letters in the order of an alphabet.
    """
    for run in re.finditer("[\x80-\xff]+", text):
        codes = [*map(ord, run[0])]
        is_word = len(codes) < 4 or len({*codes}) == 1 or _is_alphabet(run[0])
        if min(codes) < 0xA0 or not is_word:
            return run.start()
    return None


def _is_alphabet(run: str) -> bool:
    """Whether the letters of each case are at least half of an alphabet's, in its order."""
    capitals = "".join(filter(str.isupper, run)).lower()
    small = "".join(sign for sign in run if not sign.isupper())
    return all(any(_is_part(each, of) for of in _ALPHABETS) for each in (capitals, small) if each)


def _is_part(letters: str, alphabet: str) -> bool:
    rest = iter(alphabet)
    return 2 * len(letters) >= len(alphabet) and all(letter in rest for letter in letters)


def warn_of_strange_signs(text: str, shown: str) -> None:
    """Warn of the first place of a text that does not look like Latin-1.

    Args:
        shown: what the message calls the text.
    """
    place = strange_place(text)
    if place is not None:
        warn(f"{shown} seems to be in an unknown encoding\n{caret(text, place)}\n{_UNREAD}")
