"""Read and write the text in a picture's file that says how it was made."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipcond.errors import PictureError
from clipcond.files import local_path, write_whole
from clipcond.metadata.other_tools import of_other_tools
from clipcond.metadata.parameters import Parameters, parse_parameters
from clipcond.reading.pictures import naming_errors, silent_pillow

if TYPE_CHECKING:
    from PIL.Image import Image

PARAMETERS = "parameters"  # the PNG text
_EXIF, _USER_COMMENT = 0x8769, 0x9286  # Source: Exif 2.32, tables 3 and 7
# What begins a comment of EXIF. Source: Exif 2.32, table 9
_UNICODE, _ASCII, _UNDEFINED = b"UNICODE\0", b"ASCII\0\0\0", bytes(8)
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def picture_parameters(source: str | PathLike[str]) -> Parameters:
    """Read what a picture was made with from its file: see `read_parameters`."""
    file = local_path(source, PictureError)
    with naming_errors(repr(str(file)), file):
        if not file.is_file():
            raise PictureError(f"there is no picture {str(file)!r}", file)
        other = None
        if file.suffix.lower() == ".txt":  # A1111's option to write one for each picture
            text = file.read_text(encoding="utf-8-sig", errors="replace")
        else:
            from PIL import Image

            with silent_pillow(), Image.open(file) as image:
                text = _webui_text(image)
                other = None if text else of_other_tools(image, file)
    if text.strip():
        return parse_parameters(text)
    if other is not None:
        return other
    raise PictureError(
        f"{str(file)!r} does not say how it was made",
        file,
        "Sites and editors that write a picture anew often leave that out; use the first file.",
    )


def save_picture(image: Image, path: Path, parameters: str = "") -> None:
    """Write a picture with the text that says how it was made, whole or not at all.

    As A1111 does: a PNG file has it as the text "parameters", JPEG and WebP as EXIF's comment. JPEG
    is written at quality 95 without halved colours, WebP without loss.

    Args:
        path: ends in .png, .jpg, .jpeg or .webp.
    Raises:
        CheckpointError: the file cannot be written.
    """
    kind = FORMATS[path.suffix.lower()]
    options: dict[str, Any] = {"format": kind}
    if kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = PngInfo()
        if parameters:
            options["pnginfo"].add_text(PARAMETERS, parameters)
    else:
        options |= {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True}
        options["exif"] = _comment(parameters) if parameters else b""
    write_whole(path, lambda file: image.save(file, **options))


def _comment(text: str) -> bytes:
    from PIL.Image import Exif

    exif = Exif()
    exif.get_ifd(_EXIF)[_USER_COMMENT] = _UNICODE + text.encode("utf-16-be", "surrogatepass")
    return exif.tobytes()


def _webui_text(image: Image) -> str:
    """Find the text of A1111; "" if there is none."""
    found = image.info.get(PARAMETERS)
    if found is None and image.format == "PNG":
        image.load()  # texts may be behind the pixels
        found = image.info.get(PARAMETERS)
    found = found or image.getexif().get_ifd(_EXIF).get(_USER_COMMENT) or image.info.get("comment")
    text = _decoded(found) if isinstance(found, bytes) else found
    text = text.strip("\0") if isinstance(text, str) else ""
    return "" if text.startswith("{") and text.endswith("}") else text  # Fooocus writes JSON there


def _decoded(comment: bytes) -> str:
    """Decode EXIF's comment, whose byte order programs disagree on, or a comment of JPEG."""
    kind, text = comment[:8], comment[8:]
    if kind == _UNICODE:
        little = text[1::2].count(0) > text[::2].count(0)
        return text.decode("utf-16-le" if little else "utf-16-be", "replace")
    return (text if kind in {_ASCII, _UNDEFINED} else comment).decode("utf-8", "replace")
