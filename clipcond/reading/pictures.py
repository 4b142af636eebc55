"""Read pictures of any kind as RGB, upright, or say why one cannot be read."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias, cast

import numpy as np

from clipcond.errors import ClipcondWarning, PictureError, excerpt, first_line
from clipcond.files import local_path
from clipcond.locks import fork_safe_lock

if TYPE_CHECKING:
    from PIL.Image import Image

# A file by its name, what a file holds, an open file, or a picture of Pillow.
Picture: TypeAlias = "str | PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Image"

_UNNAMED = "the picture"
_CONTENT = (bytes, bytearray, memoryview)
MOST_BYTES = 2**30  # of an open file, which may be endless

# Modes of Pillow with more than 8 bits a channel, of which `convert` would keep the lowest 255.
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_WHITE = (255, 255, 255, 255)
# The endings of files that are looked at in a folder; what they hold decides.
SUFFIXES = frozenset(
    ".png .jpg .jpeg .jfif .webp .gif .bmp .tif .tiff .avif .heic .jp2 .ppm .pgm".split()
)


def read_picture(picture: Picture) -> Image:
    """Read a picture as RGB with 8 bits a channel, turned as its EXIF orientation says.

    Transparent pixels are laid over white; 16 bits are scaled to 8; of an animation or of several
    pages the first is taken; palettes, grey and CMYK are converted as Pillow does, without a colour
    profile.

    Args:
        picture: a file by its name, its bytes, a file opened in binary mode, or a picture of
            Pillow, which stays as it is. Of an open file all is read, whatever was read before, up
            to 1 GiB; where it can be told, its position stays.
    Raises:
        PictureError: no such file, no picture, cut short, too many pixels or bytes, of floating
            point, or of 32 bits a channel.
    """
    from PIL import Image, ImageOps

    if isinstance(picture, Image.Image):
        with naming_errors(_UNNAMED, ""):
            picture.load()
            return _as_rgb(ImageOps.exif_transpose(picture), _UNNAMED, "")
    source, name, path = picture_source(picture)
    with naming_errors(name, path), silent_pillow(), Image.open(source) as opened:
        opened.load()
        return _as_rgb(ImageOps.exif_transpose(opened), name, path)


def picture_source(picture: object) -> tuple[Path | BytesIO, str, str | Path]:
    """Find what Pillow opens as a picture.

    Returns:
        its file or its content; what errors call it; its path, "" where it has none.
    Raises:
        PictureError: there is no such file, or it is none of these.
    """
    if isinstance(picture, str | PathLike):
        file = local_path(picture, PictureError)
        name = repr(excerpt(str(file), 200))
        with naming_errors(name, file):
            if file.is_dir():
                raise PictureError(f"{name} is a folder, not a picture", file)
            if not file.is_file():
                raise PictureError(f"there is no picture {name}", file)
        return file, name, file
    if isinstance(picture, _CONTENT):
        return BytesIO(picture), _UNNAMED, ""
    if hasattr(picture, "read"):
        with naming_errors(_UNNAMED, ""), _READING:
            return BytesIO(_all_of(cast("IO[bytes]", picture))), _UNNAMED, ""
    raise PictureError(
        f"a picture is a file, its bytes or a picture of Pillow, not {type(picture).__name__}"
    )


_READING = fork_safe_lock()  # of an open file that several threads read


def _all_of(file: IO[bytes]) -> bytes:
    at = file.tell() if getattr(file, "seekable", bool)() else None
    if at is not None:
        file.seek(0)
    content = file.read(MOST_BYTES + 1)
    if not isinstance(content, bytes):
        raise PictureError("the picture's file gives no bytes", "", "Open it in mode 'rb'.")
    if len(content) > MOST_BYTES:
        raise PictureError(f"the picture's file has more than {MOST_BYTES:,} bytes")
    if at is not None:
        file.seek(at)
    return content


class _SilentPillow:
    """Hides Pillow's warnings of many pixels or damaged EXIF; what matters is an error.

    Filters belong to the process: threads that each set and restore them would leave one of theirs
    behind for good. So the first that reads sets them, and the last restores them.
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self._n_readers = 0
        self._filters = warnings.catch_warnings()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._n_readers:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._n_readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_readers -= 1
                if not self._n_readers:
                    self._filters.__exit__(None, None, None)


silent_pillow = _SilentPillow()


@contextmanager
def naming_errors(name: str, path: str | Path) -> Iterator[None]:
    """Turn what Pillow raises, a dozen kinds, into one error that names the picture."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except (PictureError, ClipcondWarning):
        raise
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise PictureError(
            f"{name} has more than {most:,} pixels, which may be an attack",
            path,
            "If you trust it, raise PIL.Image.MAX_IMAGE_PIXELS.",
        ) from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{name} is no picture that Pillow can read", path) from error
    except Exception as error:
        why = getattr(error, "strerror", None) or first_line(error)
        raise PictureError(f"{name} cannot be read as a picture: {why}", path) from error


def _as_rgb(image: Image, name: str, path: str | Path) -> Image:
    from PIL import Image as Pillow

    if not all(image.size):
        raise PictureError(f"{name} has no pixels: {image.width} x {image.height}", path)
    if image.mode == "F":
        raise PictureError(
            f"{name} is of floating point, whose white no file says",
            path,
            "Save it with 8 or 16 bits a channel.",
        )
    if image.mode in _DEEP:
        if image.mode == "I":
            _refuse_unless_16_bits(image, name, path)
        return _from_16_bits(image)
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        own = image.convert("RGBA")
        return Pillow.alpha_composite(Pillow.new("RGBA", own.size, _WHITE), own).convert("RGB")
    return image.convert("RGB")


def _refuse_unless_16_bits(image: Image, name: str, path: str | Path) -> None:
    """Refuse 32 bits of which nothing says what is white; a PNG file of grey has 16."""
    darkest, brightest = np.asarray(image).min(), np.asarray(image).max()
    if darkest < 0 or brightest > 65535 or (0 < brightest < 256 and image.format != "PNG"):
        raise PictureError(
            f"{name} has whole numbers from {darkest} to {brightest}; nothing says which is white",
            path,
            "Save or convert it with 8 or 16 bits a channel.",
        )


def _from_16_bits(image: Image) -> Image:
    """Scale grey values from 0..65535 to 0..255, rounded to the nearest."""
    from PIL import Image as Pillow

    values = np.asarray(image).astype(np.int64).clip(0, 65535)
    return Pillow.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")


def pictures_in(folder: str | PathLike[str]) -> list[Path]:
    """List the files of a folder and its subfolders that are called like pictures, sorted.

    Hidden files and folders are left out.

    Raises:
        PictureError: there is no such folder, or nothing in it is called so.
    """
    root = local_path(folder, PictureError)
    if not root.is_dir():
        raise PictureError(f"there is no folder {str(root)!r}", root)
    found: list[Path] = []
    for where, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        own = (name for name in names if not name.startswith("."))
        found += [Path(where, name) for name in own if Path(name).suffix.lower() in SUFFIXES]
    if not found:
        raise PictureError(
            f"there is no picture in {str(root)!r}",
            root,
            f"Looked for files that end in {', '.join(sorted(SUFFIXES))}.",
        )
    return sorted(found)


def listed(pictures: Picture | Sequence[Picture]) -> list[Picture]:
    """Make a list of one picture or several.

    Raises:
        PictureError: it is none.
    """
    from PIL import Image

    if isinstance(pictures, str | PathLike | Image.Image | bytes | bytearray | memoryview):
        return [pictures]
    if hasattr(pictures, "read"):
        return [pictures]  # type: ignore[list-item]
    if not isinstance(pictures, Sequence):
        raise PictureError(
            f"pictures are files, their bytes or pictures of Pillow, one or a list, not "
            f"{type(pictures).__name__}"
        )
    return list(pictures)  # type: ignore[arg-type]
