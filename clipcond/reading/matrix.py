"""Draw how well each of several pictures shows each of several prompts."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
import torch

from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.dialects import DialectName
from clipcond.errors import ReadingError
from clipcond.reading.encoder import DualEncoder
from clipcond.reading.lettering import (
    FAINT,
    INK,
    PAPER,
    anchor,
    open_font,
    shown_labels,
    text_picture,
)
from clipcond.reading.pictures import Picture, listed, read_picture
from clipcond.reading.scoring import WEIGHT, scored_texts

if TYPE_CHECKING:
    from PIL.Image import Image

CELL, GAP = 64, 6  # pixels of a cell and around texts
LETTERS = 40
MOST = 60  # prompts or pictures
BLUE = (21, 101, 192)


def draw_score_matrix(
    encoder: DualEncoder,
    images: Sequence[Picture],
    prompts: Sequence[str],
    *,
    dialect: DialectName | Dialect = "plain",
    font_file: str | PathLike[str] | None = None,
) -> tuple[torch.Tensor, Image]:
    """Score every picture with every prompt, and draw the scores: a row a prompt.

    A cell says the CLIPScore; the darker, the higher among all. Where pictures were made of the
    prompts in the same order, the diagonal should be the darkest.

    Args:
        images: n pictures, as for `DualEncoder.encode_image`; at most 60.
        prompts: m prompts, at most 60, read as for `clip_score`.
        font_file: a font for prompts in other letters than Pillow's own font has.
    Returns:
        the scores [m n], and the picture.
    Raises:
        PictureError: a picture cannot be read.
        PromptError: a prompt has no text.
        ReadingError: more than 60, or the font cannot be read.
    """
    images = listed(images)
    if max(len(images), len(prompts)) > MOST:
        raise ReadingError(
            f"a matrix shows {MOST} prompts and {MOST} pictures at most, not {len(prompts)} and "
            f"{len(images)}"
        )
    texts = encoder.embed(scored_texts(encoder, prompts, dialect))
    scores = WEIGHT * (texts @ encoder.encode_image(images).T).clamp(min=0)
    return scores, _draw(scores, [read_picture(each) for each in images], prompts, font_file)


def _draw(
    scores: torch.Tensor,
    images: Sequence[Image],
    prompts: Sequence[str],
    font_file: str | PathLike[str] | None,
) -> Image:
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageOps

    font = open_font(font_file)
    shown = shown_labels(prompts, has_own_font=font_file is not None, n_letters=LETTERS)
    names = [text_picture(each, font) for each in shown]
    edge = 2 * GAP + max(each.width for each in names)
    size = edge + len(images) * CELL + GAP, 2 * GAP + (len(prompts) + 1) * CELL
    sheet = Pillow.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, image in enumerate(images):
        sheet.paste(
            ImageOps.pad(image, (CELL - 2, CELL - 2), color=PAPER), (edge + column * CELL, GAP)
        )
    low, high = float(scores.min()), float(scores.max())
    for row, values in enumerate(scores.tolist()):
        top = GAP + (row + 1) * CELL
        sheet.paste(
            names[row], (edge - GAP - names[row].width, top + (CELL - names[row].height) // 2)
        )
        for column, value in enumerate(values):
            share = (value - low) / (high - low) if high > low else 0.0
            colour = np.rint(np.array(FAINT) + (np.array(BLUE) - FAINT) * share).astype(int)
            left = edge + column * CELL
            draw.rectangle((left, top, left + CELL - 2, top + CELL - 2), tuple(colour.tolist()))
            ink, centre = PAPER if share > 0.5 else INK, (left + CELL // 2 - 1, top + CELL // 2 - 1)
            draw.text(centre, f"{value:.2f}", ink, font=font, anchor=anchor(font))
    return sheet
