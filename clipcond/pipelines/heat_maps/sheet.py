"""Draw a sheet: a picture, and what each word of its prompt drew."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

from clipcond.pipelines.heat_maps.heat_map import HeatMap, scale_bar
from clipcond.reading.lettering import (
    FONT_SIZE,
    INK,
    PAPER,
    font_for,
    open_font,
    shown_labels,
    text_picture,
)

if TYPE_CHECKING:
    from PIL.Image import Image

LEAST, MOST = 128, 256  # pixels of a cell's longer side
GAP, LINE, BAR = 6, 20, 10  # pixels around cells, of a label, of the scale
COLUMNS = 6
MOST_SHOWN = 24  # words


def draw_sheet(
    picture: Image, maps: Sequence[HeatMap], font_file: str | PathLike[str] | None = None
) -> Image:
    """Draw a picture and its heat maps, each by itself and over the picture.

    A label is a word and its highest share of the attention. Every map is stretched to its own
    range, as the scale under the picture says.

    Args:
        font_file: for labels in other letters than Pillow's own font has; None = one of the
            system's, if it has one.
    Raises:
        ReadingError: the font cannot be read.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    width, height = _cell(picture.size)
    labels = [each.text for each in maps]
    font, has_all = open_font(font_file), True
    if font_file is None:
        font, has_all = font_for(labels, FONT_SIZE)
    words = shown_labels(labels, has_own_font=has_all, n_letters=width // 9)
    n_columns = min(COLUMNS, max(1, len(maps)))
    n_bands = -(-len(maps) // n_columns)
    band, column = LINE + 2 * (height + GAP), width + GAP
    tall = max(band * n_bands, 2 * LINE + height + BAR + 3 * GAP)
    size = GAP + (1 + n_columns) * column, GAP + tall
    sheet = Pillow.new("RGB", size, PAPER)
    shown = picture.convert("RGB").resize((width, height), Pillow.Resampling.BICUBIC)
    sheet.paste(shown, (GAP, GAP + LINE))
    sheet.paste(scale_bar(width, BAR), (GAP, 2 * GAP + LINE + height))
    low = 3 * GAP + LINE + height + BAR
    most = text_picture("most", font)
    sheet.paste(text_picture("picture", font), (GAP, GAP))
    sheet.paste(text_picture("least", font), (GAP, low))
    sheet.paste(most, (GAP + width - most.width, low))
    for i, (heat, word) in enumerate(zip(maps, words, strict=True)):
        left, top = GAP + (1 + i % n_columns) * column, GAP + i // n_columns * band
        label = text_picture(f"{word}  {float(heat.values.max()):.2g}", font)
        sheet.paste(label, (left, top + (LINE - label.height) // 2))
        by_itself = heat.image().resize((width, height), Pillow.Resampling.BICUBIC)
        sheet.paste(by_itself, (left, top + LINE))
        sheet.paste(heat.overlay(shown), (left, top + LINE + height + GAP))
    ImageDraw.Draw(sheet).line((column, 0, column, size[1]), INK)
    return sheet


def _cell(size: tuple[int, int]) -> tuple[int, int]:
    """Bring a picture's width and height into a cell."""
    longer = max(size)
    scale = min(max(longer, LEAST), MOST) / longer
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
