"""Draw which labels a classifier takes for which."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from clipcond.reading.lettering import (
    FAINT,
    INK,
    PAPER,
    anchor,
    open_font,
    shown_labels,
    text_picture,
)

if TYPE_CHECKING:
    from PIL.Image import Image

CELL, GAP = 34, 6  # pixels of a cell and around texts
MOST_NUMBERED = 40  # labels; beyond, cells get smaller and have no numbers
SMALLEST_CELL, LARGEST_PICTURE = 3, 4000  # pixels
RIGHT, WRONG = (21, 101, 192), (198, 40, 40)  # the diagonal and what is off it


def draw_confusion(
    confusion: Tensor, labels: Sequence[str], font_file: str | PathLike[str] | None = None
) -> Image:
    """Draw a confusion as a picture.

    A cell's colour is the share of its row: blue where the label is right, red where it is not.

    Args:
        confusion: whole numbers [n n], a row for each true label.
        labels: n texts. Those with characters that Pillow's own font lacks, such as Chinese ones,
            are shown by their numbers, from 1, which is warned of.
        font_file: a font to write them in.
    Raises:
        ReadingError: the font cannot be read.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    n, font = len(labels), open_font(font_file)
    cell = CELL if n <= MOST_NUMBERED else max(SMALLEST_CELL, min(CELL, LARGEST_PICTURE // n))
    shown = shown_labels(labels, has_own_font=font_file is not None)
    named = cell >= CELL // 2
    edge = GAP + (max(int(font.getlength(each)) for each in shown) + GAP if named else 0)
    image = Pillow.new("RGB", (edge + n * cell + GAP, edge + n * cell + GAP), PAPER)
    draw = ImageDraw.Draw(image)
    if named:
        for i, label in enumerate(shown):
            name = text_picture(label, font)
            middle = edge + i * cell + (cell - name.height) // 2
            image.paste(name, (edge - GAP - name.width, middle))
            image.paste(name.rotate(90, expand=True), (middle, edge - GAP - name.width))
    image.paste(_cells(confusion, cell), (edge, edge))
    for row, counts in enumerate(confusion.tolist() if cell == CELL else ()):
        for column, count in enumerate(counts):
            colour = PAPER if count > sum(counts) / 2 else INK
            centre = (edge + (2 * column + 1) * cell // 2 - 1, edge + (2 * row + 1) * cell // 2 - 1)
            if count:
                draw.text(centre, str(count), colour, font=font, anchor=anchor(font))
    return image


def _cells(confusion: Tensor, cell: int) -> Image:
    """Colour the cells; between those that are large enough is a line."""
    from PIL import Image as Pillow

    counts = confusion.double().numpy()
    shares = (counts / counts.sum(1, keepdims=True).clip(min=1))[..., None]
    ink = np.where(np.eye(len(counts), dtype=bool)[..., None], np.array(RIGHT), np.array(WRONG))
    faint = np.array(FAINT)
    pixels = np.rint(faint + (ink - faint) * shares).astype(np.uint8)
    pixels = pixels.repeat(cell, 0).repeat(cell, 1)
    if cell > SMALLEST_CELL:
        pixels[cell - 1 :: cell], pixels[:, cell - 1 :: cell] = PAPER, PAPER
    return Pillow.fromarray(pixels)
