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
