"""Write labels into pictures, in Pillow's own font or in another."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

from clipcond.errors import ReadingError, warn
from clipcond.files import disk_errors

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

LETTERS = 24  # of a label that fit
FONT_SIZE = 12
# what systems have for Chinese and other letters; Pillow looks in their folders
SYSTEM_FONTS = (
    *("NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "wqy-zenhei.ttc", "wqy-microhei.ttc"),
    *("msyh.ttc", "simsun.ttc", "PingFang.ttc", "Hiragino Sans GB.ttc", "Arial Unicode.ttf"),
    *("DejaVuSans.ttf", "arial.ttf", "Arial.ttf"),
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


def font_for(
    labels: Sequence[str], font_file: str | PathLike[str] | None
) -> tuple[FreeTypeFont | ImageFont, bool]:
    """Open a font for labels; None = Pillow's own, or one of the system's that has their letters.

    Returns:
        the font, and whether it is another than Pillow's own.
    Raises:
        ReadingError: the file cannot be read.
    """
    from PIL import ImageFont

    if font_file is not None or all(label.isascii() for label in labels):
        return open_font(font_file), font_file is not None
    for name in SYSTEM_FONTS:
        try:
            font = ImageFont.truetype(name, FONT_SIZE)
        except (OSError, ImportError):  # it is not there, or Pillow has no FreeType
            continue
        if all(_has_letters(font, label) for label in labels):
            return font, True
    return open_font(None), False


def _has_letters(font: FreeTypeFont, label: str) -> bool:
    """Whether a font has all letters: one that it has not looks like one that nobody has."""
    missing = bytes(font.getmask("\uffff"))
    return all(letter.isspace() or bytes(font.getmask(letter)) != missing for letter in label)


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
