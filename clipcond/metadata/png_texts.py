"""Read and write texts of PNG files; other programs write UTF-8 where PNG has Latin-1."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo


def png_text(image: Image, name: str) -> str | None:
    """Find a text of a picture by its name; None = it has none.

    Bytes of a tEXt or zTXt chunk that are UTF-8 with a character of several bytes are read as
    UTF-8: in Latin-1, which PNG has there, they would be letters such as "Ã©".

    Source: PNG specification, third edition, 11.3.3, tEXt, zTXt and iTXt.
    """
    found = image.info.get(name)
    if not isinstance(found, str):
        return None
    from PIL.PngImagePlugin import iTXt

    return found if image.format != "PNG" or isinstance(found, iTXt) else _as_utf_8(found)


def add_png_text(info: PngInfo, name: str, text: str) -> None:
    """Add a text to those that a PNG file is written with, so that `png_text` gives it back."""
    if _as_utf_8(text) == text:
        info.add_text(name, text)  # Latin-1 where it can be, as A1111's
    else:
        info.add_itxt(name, text)


def _as_utf_8(text: str) -> str:
    """Read as UTF-8 a text that was read as Latin-1, if it is UTF-8."""
    try:
        return text if text.isascii() else text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
