"""Draw pictures on a sheet, with labels at its columns and rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipcond.errors import warn
from clipcond.reading.lettering import INK, PAPER, anchor, font_for

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

GAP = 8  # pixels between cells and around texts
MOST_LINES = 4  # of a label
MOST_SIDE = 16_000  # pixels; a WebP file has 16,383
MOST_PIXELS = 64_000_000
LEAST_WIDTH = 96  # pixels of a label


@dataclass(frozen=True, slots=True)
class Labels:
    """What is written on a sheet; a title of "" takes no room, and so do labels that are all ""."""

    title: str
    columns: Sequence[str]
    rows: Sequence[str]


def draw_sheet(images: Sequence[Sequence[Image]], labels: Labels) -> Image:
    """Draw rows of pictures with their labels.

    Cells are as large as the largest picture; where the sheet would be larger than files can be,
    all are scaled down, with a warning.

    Args:
        images: rows, equally long.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    width = max(image.width for row in images for image in row)
    height = max(image.height for row in images for image in row)
    scale = _scale(width * len(images[0]), height * len(images))
    width, height = max(1, int(width * scale)), max(1, int(height * scale))
    if scale < 1:
        warn(f"the pictures of the sheet are scaled down to {scale:.0%}")
    shown, font = _lettering(labels, max(11, min(40, max(width, height) // 18)))
    layout = _Layout.of(shown, font, width, height)
    sheet = Pillow.new("RGB", layout.size, PAPER)
    pen = ImageDraw.Draw(sheet)
    _write(pen, layout.title, (GAP, GAP), font)
    line = _line_height(font)
    for column, lines in enumerate(layout.columns):
        bottom = layout.top(0) - GAP // 2
        place = layout.left(column) + layout.cell[0] // 2, bottom - len(lines) * line
        _write(pen, lines, place, font, to_left=0.5)
    for row, lines in enumerate(layout.rows):
        middle = layout.top(row) + layout.cell[1] // 2
        place = GAP + layout.edge - GAP, middle - len(lines) * line // 2
        _write(pen, lines, place, font, to_left=1.0)
        for column, image in enumerate(images[row]):
            if scale < 1:
                size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
                image = image.resize(size, Pillow.Resampling.LANCZOS)
            left = layout.left(column) + (layout.cell[0] - image.width) // 2
            sheet.paste(image, (left, layout.top(row) + (layout.cell[1] - image.height) // 2))
    return sheet


def _scale(width: int, height: int) -> float:
    """Choose the share of its size that a sheet of pictures is drawn in."""
    by_side = MOST_SIDE / max(width, height)
    return min(1.0, by_side, math.sqrt(MOST_PIXELS / (width * height)))


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things are, in pixels, and the lines of each label."""

    title: list[str]
    columns: list[list[str]]
    rows: list[list[str]]
    cell: tuple[int, int]
    edge: int  # of row labels
    head: int  # of the title
    header: int  # of column labels

    @classmethod
    def of(cls, labels: Labels, font: FreeTypeFont | ImageFont, width: int, height: int) -> _Layout:
        room = max(width, LEAST_WIDTH)
        columns = [_wrapped(label, font, width) for label in labels.columns]
        rows = [_wrapped(label, font, room) for label in labels.rows]
        edge = max((_width(line, font) for lines in rows for line in lines), default=0)
        whole = (edge + GAP if edge else 0) + len(columns) * (width + GAP) - GAP
        title = _wrapped(labels.title, font, max(whole, LEAST_WIDTH))
        line = _line_height(font)
        return cls(
            title,
            columns,
            rows,
            (max(width, 1), max([height, *(len(lines) * line for lines in rows)])),
            edge + GAP if edge else 0,
            len(title) * line + GAP if title else 0,
            max(map(len, columns)) * line + (GAP // 2 if any(columns) else 0),
        )

    @property
    def size(self) -> tuple[int, int]:
        return self.left(len(self.columns)), self.top(len(self.rows))

    def left(self, column: int) -> int:
        return GAP + self.edge + column * (self.cell[0] + GAP)

    def top(self, row: int) -> int:
        return GAP + self.head + self.header + row * (self.cell[1] + GAP)


def _lettering(labels: Labels, size: int) -> tuple[Labels, FreeTypeFont | ImageFont]:
    """Find a font that has the letters of all labels; number labels that none has."""
    texts = [labels.title, *labels.columns, *labels.rows]
    font, has_all = font_for(texts, size)
    if has_all:
        return labels, font
    warn(
        "no font of this computer has the letters of some labels, which are shown by their numbers"
    )
    columns, rows = (
        [label if label.isascii() else str(i) for i, label in enumerate(each, 1)]
        for each in (labels.columns, labels.rows)
    )
    title = labels.title.encode("ascii", "replace").decode()
    return Labels(title, columns, rows), font


def _write(
    pen: ImageDraw,
    lines: Sequence[str],
    place: tuple[int, int],
    font: FreeTypeFont | ImageFont,
    to_left: float = 0.0,
) -> None:
    """Write lines from a place down; `to_left` is the share of each that is left of it."""
    for i, line in enumerate(lines):
        left = place[0] - int(_width(line, font) * to_left)
        pen.text((left, place[1] + i * _line_height(font)), line, INK, font=font)


def _wrapped(text: str, font: FreeTypeFont | ImageFont, width: int) -> list[str]:
    """Break a text into lines of this width, between words where it can; the last may be cut."""
    lines: list[str] = []
    rest = " ".join(text.split())
    while rest:
        n = _n_that_fit(rest, font, width)
        if n < len(rest) and len(lines) + 1 == MOST_LINES:
            lines.append(
                rest[: max(1, _n_that_fit(rest, font, width - _width("...", font)))] + "..."
            )
            break
        space = rest.rfind(" ", 1, n + 1) if n < len(rest) else -1
        cut = space if space > 0 else n
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return lines


def _n_that_fit(text: str, font: FreeTypeFont | ImageFont, width: int) -> int:
    """Count the first characters of a text that are not wider than this; 1 at least."""
    low, high = 1, min(len(text), 500)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _width(text[:middle], font) <= width else (low, middle - 1)
    return low


def _width(text: str, font: FreeTypeFont | ImageFont) -> int:
    left, _, right, _ = font.getbbox(text)
    return int(right - left) + 1


def _line_height(font: FreeTypeFont | ImageFont) -> int:
    _, top, _, bottom = font.getbbox("Ag中" if anchor(font) else "Ag")
    return int(bottom) + max(2, int(bottom - top) // 5)
