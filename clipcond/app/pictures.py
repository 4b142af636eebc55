"""Name the files of pictures, and bound the pictures that visitors hand in."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from clipcond.app.settings import MOST_UPLOADED_BYTES, MOST_UPLOADED_PIXELS
from clipcond.errors import PictureError

_NUMBERED = re.compile(r"(\d{5,9})-.*")


def next_file(folder: Path, seed: int) -> Path:
    """Name the next picture of a folder: 00012-1234.png, number and seed, as A1111 does."""
    found = (_NUMBERED.fullmatch(each.name) for each in folder.iterdir())
    last = max((int(number[1]) for number in found if number), default=-1)
    return folder / f"{last + 1:05}-{seed}.png"


def check_upload(path: str | None) -> Path:
    """Check the size of a picture that a visitor has handed in, before it is decoded.

    Raises:
        PictureError: there is none, it is no picture, or it is too large.
    """
    if not path:
        raise PictureError("a picture is missing", "", "Drop one into the field, or choose a file.")
    file = Path(path)
    if file.stat().st_size > MOST_UPLOADED_BYTES:
        most = MOST_UPLOADED_BYTES // 2**20
        raise PictureError(f"{file.name!r} has more than {most} MB", file)
    try:
        with Image.open(file) as image:
            width, height = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(file) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        message = f"{file.name!r} is no picture that Pillow can read"
        raise PictureError(message, file) from error
    if width * height > MOST_UPLOADED_PIXELS:
        raise _too_many_pixels(file)
    return file


def _too_many_pixels(file: Path) -> PictureError:
    most = f"{MOST_UPLOADED_PIXELS:,}"
    return PictureError(f"{file.name!r} has more than {most} pixels", file)
