"""Read and write texts of PNG files; other programs write UTF-8 where PNG has Latin-1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.metadata.unmarked_texts import (
    of_latin_1,
    strange_place,
    warn_of_a_guess,
    warn_of_strange_signs,
)

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo


def png_text(image: Image, name: str, shown: str = "") -> str | None:
    """Find a text of a picture by its name; None = it has none.

    Bytes of a tEXt or zTXt chunk that are UTF-8 with a character of several bytes are read as
    UTF-8: in Latin-1, which PNG has there, they would be letters such as "Ã©". So is GBK.

    Args:
        shown: what a warning calls a text that may be in another encoding; "" = none is given.
    Source: PNG specification, third edition, 11.3.3, tEXt, zTXt and iTXt.
    """
    found = image.info.get(name)
    if not isinstance(found, str):
        return None
    from PIL.PngImagePlugin import iTXt

    if image.format != "PNG" or isinstance(found, iTXt):
        return found
    text = of_latin_1(found)
    if shown and text == found:
        warn_of_strange_signs(text, shown)
    elif shown:
        warn_of_a_guess(text, found.encode("latin-1"), shown)
    return text


def add_png_text(info: PngInfo, name: str, text: str) -> None:
    """Add a text to those that a PNG file is written with, so that `png_text` gives it back."""
    if of_latin_1(text) == text and strange_place(text) is None:
        info.add_text(name, text)  # Latin-1 where it can be, as A1111's
    else:
        info.add_itxt(name, text)
