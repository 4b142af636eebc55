"""Write labels into pictures, in Pillow's own font or in another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from os import PathLike
from typing import TYPE_CHECKING

from clipcond.errors import ReadingError, warn
from clipcond.files import disk_errors

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

LETTERS = 24  # of a label that fit
FONT_SIZE = 12
# With Chinese, Japanese or Korean letters, by the names of their files on Linux, Windows and macOS.
SYSTEM_FONTS = (
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "NotoSansSC-Regular.otf"),
    *("SourceHanSansSC-Regular.otf", "SourceHanSansCN-Regular.otf", "wqy-microhei.ttc"),
    *("wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "msyh.ttc", "simhei.ttf", "meiryo.ttc"),
    *("malgun.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "STHeiti Light.ttc"),
    *("Arial Unicode.ttf", "DejaVuSans.ttf"),
)
PAPER, INK, FAINT = (255, 255, 255), (20, 20, 20), (225, 228, 232)


def open_font(font_file: str | PathLike[str] | None) -> FreeTypeFont | ImageFont:
    """Open a font; None = Pillow's own.

    Raises:
        ReadingError: it cannot be read.
    """
    from PIL import ImageFont

    if font_file is None:
        return ImageFont.load_default()
    with disk_errors(f"the font {str(font_file)!r} cannot be read", ReadingError):
        return ImageFont.truetype(str(font_file), FONT_SIZE)


def font_for(texts: Sequence[str], size: int) -> tuple[FreeTypeFont | ImageFont, bool]:
    """Find a font that has the letters of all texts: Pillow's own, or one of the system's.

    Args:
        size: of the letters, in pixels.
    Returns:
        the font, and whether it has all; else it is Pillow's own.
    """
    from PIL import ImageFont, features

    try:
        own = ImageFont.load_default(size)
    except TypeError:  # before Pillow 10.1
        own = ImageFont.load_default()
    letters = {letter for text in texts for letter in text if not letter.isspace()}
    if not letters or _has(own, letters):
        return own, True
    for name in SYSTEM_FONTS if features.check("freetype2") else ():
        with suppress(OSError):
            font = ImageFont.truetype(name, size)
            if _has(font, letters):
                return font, True
    return own, False


def _has(font: FreeTypeFont | ImageFont, letters: Iterable[str]) -> bool:
    """Whether a font has these letters: none looks like the sign that stands for missing ones."""
    if anchor(font) is None:
        return all(letter.isascii() for letter in letters)
    missing = bytes(font.getmask("\uffff"))
    return all(letter.isascii() or bytes(font.getmask(letter)) != missing for letter in letters)


def anchor(font: FreeTypeFont | ImageFont) -> str | None:
    """Centre a text where the font can: Pillow without FreeType cannot."""
    return "mm" if hasattr(font, "getmask2") else None


def shown_labels(
    labels: Sequence[str], *, has_own_font: bool, n_letters: int = LETTERS
) -> list[str]:
    """Shorten labels, and number those that cannot be written."""
    lines = [" ".join(label.split()) for label in labels]
    if not has_own_font and not all(line.isascii() for line in lines):
        warn(
            "Pillow's own font has no letters for some labels, which are shown by their numbers; "
            "name a font that has them: font_file='...'"
        )
        lines = [line if line.isascii() else str(i) for i, line in enumerate(lines, 1)]
    return [line if len(line) <= n_letters else line[: n_letters - 3] + "..." for line in lines]


def text_picture(text: str, font: FreeTypeFont | ImageFont) -> Image:
    """Draw a text as a picture as large as it."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    left, top, right, bottom = font.getbbox(text)
    size = max(1, int(right - left)), max(1, int(bottom - top))
    image = Pillow.new("RGB", size, PAPER)
    ImageDraw.Draw(image).text((-left, -top), text, INK, font=font)
    return image
