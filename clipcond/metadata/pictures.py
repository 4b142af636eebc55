"""Read and write the text in a picture's file that says how it was made."""

from __future__ import annotations

import codecs
from dataclasses import replace
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipcond.encodings import decode_utf_8
from clipcond.errors import ArgumentError, PictureError
from clipcond.files import local_path, write_whole
from clipcond.metadata.comfyui import of_comfyui
from clipcond.metadata.comfyui_graph import read_graph
from clipcond.metadata.infotext import has_settings
from clipcond.metadata.json_texts import is_json, problem_with
from clipcond.metadata.other_tools import of_other_tools
from clipcond.metadata.parameters import TEXTS, Parameters, of_settings, parse_parameters, pasted
from clipcond.metadata.png_texts import add_png_text, png_text
from clipcond.metadata.swarmui import COPY, is_swarmui, read_swarmui
from clipcond.metadata.unmarked_texts import (
    of_exif,
    of_latin_1,
    warn_of_a_guess,
    warn_of_lost_signs,
)
from clipcond.reading.pictures import Picture, naming_errors, picture_source, silent_pillow

if TYPE_CHECKING:
    from PIL.Image import Image

PARAMETERS = "parameters"  # the PNG text
_EXIF, _USER_COMMENT = 0x8769, 0x9286  # Source: Exif 2.32, tables 3 and 7
# What begins a comment of EXIF. Source: Exif 2.32, table 9
_UNICODE, _ASCII, _UNDEFINED = b"UNICODE\0", b"ASCII\0\0\0", bytes(8)
_MOST_OF_JPEG = 65_000  # bytes: a segment has 65,533, and EXIF's tables take some
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def picture_parameters(source: Picture) -> Parameters:
    """Read what a picture was made with from its file: see `read_parameters`."""
    opened, name, path = picture_source(source)
    is_text = isinstance(opened, Path) and opened.suffix.lower() in TEXTS
    with naming_errors(name, path):
        other = None
        if isinstance(opened, Path) and is_text:
            text = pasted(_read_text(opened))  # A1111's option writes one for each picture
        else:
            from PIL import Image

            with silent_pillow(), Image.open(opened) as image:
                text = _webui_text(image, f"the text in {name}")
                other = None if text else of_other_tools(image, name, path)
    if text.strip():
        folder = str(opened.parent) if isinstance(opened, Path) else None
        shown = name if is_text else f"the text in {name}"
        remedy = COPY if is_text else "Use the picture's first file."
        return replace(text_parameters(text, shown, path, remedy), _folder=folder)
    if other is not None:
        return other
    remedy = "Sites and editors that save a picture again often leave that out; use the first file."
    written = opened.with_suffix(".txt") if isinstance(opened, Path) else None
    if written is not None and written != opened and written.is_file():
        remedy = f"There is {str(written)!r}: if it was written with the picture, read that."
    raise PictureError(f"{name} does not say how it was made", path, remedy)


def text_parameters(
    text: str, shown: str = "the text", path: str | Path = "", remedy: str = COPY
) -> Parameters:
    """Read the text that a picture's file has, or ComfyUI's graph as JSON.

    Args:
        shown, path: what errors call the text, and their `path`.
        remedy: what to do if it is damaged.
    Raises:
        PictureError: JSON of another form, a graph that cannot be read, or a .json file of neither
            ComfyUI nor SwarmUI.
    """
    graph = read_graph(text)
    if graph is not None:
        return of_comfyui(graph, lambda why: PictureError(f"{shown} is ComfyUI's", path, why))
    of_swarmui = read_swarmui(text, shown, path, remedy)
    if of_swarmui is not None:
        return of_settings(*of_swarmui)
    is_tools = is_json(text)
    if not is_tools and Path(path).suffix.lower() == ".json":
        raise PictureError(f"{shown} is no JSON of ComfyUI or SwarmUI, or is damaged", path)
    if is_tools:
        what, remedy = problem_with(text, remedy)
        raise PictureError(f"{shown} is {what}", path, remedy)
    return parse_parameters(text)


def _read_text(file: Path) -> str:
    content = file.read_bytes()
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16") if is_utf_16 else decode_utf_8(content)
    except UnicodeDecodeError:
        raise PictureError(f"{str(file)!r} is no text in UTF-8 or UTF-16", file) from None
    if "\0" in text:
        raise PictureError(f"{str(file)!r} is no text", file)
    return text


def save_picture(
    image: Image, path: str | PathLike[str], parameters: Parameters | str = ""
) -> None:
    """Write a picture with the text that says how it was made, whole or not at all.

    As A1111 does: a PNG file has it as the text "parameters", JPEG and WebP as EXIF's comment. JPEG
    is written at quality 95 without halved colours, WebP without loss.

    Args:
        path: ends in .png, .jpg, .jpeg or .webp.
    Raises:
        ArgumentError: another ending, a text that no file can hold, or that JPEG cannot.
        CheckpointError: the file cannot be written.
    """
    file = local_path(path)
    kind = FORMATS.get(file.suffix.lower())
    if kind is None:
        endings = ", ".join(FORMATS)
        raise ArgumentError(f"{str(file)!r}: pictures are written as {endings}")
    text = parameters.text() if isinstance(parameters, Parameters) else parameters
    check_fits(text, file)
    options = _options(kind, text)
    write_whole(file, lambda stream: image.save(stream, **options))


def picture_bytes(image: Image, ending: str, text: str) -> bytes:
    """Make the bytes of the file that `save_picture` writes.

    Args:
        ending: .png, .jpg, .jpeg or .webp.
        text: what says how it was made.
    Raises:
        ArgumentError: a text that no file can hold, or that JPEG cannot.
    """
    check_fits(text, Path(f"picture{ending}"))
    stream = BytesIO()
    image.save(stream, **_options(FORMATS[ending], text))
    return stream.getvalue()


def _options(kind: str, text: str) -> dict[str, Any]:
    """Choose how Pillow writes a picture of this kind, with the text."""
    options: dict[str, Any] = {"format": kind}
    if kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = PngInfo()
        if text:
            add_png_text(options["pnginfo"], PARAMETERS, text)
    else:
        options |= {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True}
        options["exif"] = _comment(text) if text else b""
    return options


def check_fits(text: str, file: Path) -> None:
    """Refuse a text that a picture's file cannot hold.

    Raises:
        ArgumentError: it is too long for JPEG, or holds half a character.
    """
    try:
        n_bytes = len(text.encode("utf-16-le"))
    except UnicodeEncodeError as error:
        raise ArgumentError(
            f"the parameters hold half a character, {text[error.start]!r}"
        ) from error
    if FORMATS.get(file.suffix.lower()) == "JPEG" and n_bytes > _MOST_OF_JPEG:
        raise ArgumentError(
            f"{str(file)!r}: a JPEG file holds {_MOST_OF_JPEG // 2:,} characters of parameters, "
            f"not {n_bytes // 2:,}",
            "Write a .png or .webp file.",
        )


def _comment(text: str) -> bytes:
    from PIL.Image import Exif

    exif = Exif()
    exif.get_ifd(_EXIF)[_USER_COMMENT] = _UNICODE + _utf_16(text)
    return exif.tobytes()


def _utf_16(text: str) -> bytes:
    """Encode as A1111 does; with a BOM if the text would be read as another one without it."""
    content = text.encode("utf-16-be")
    is_read = of_exif(content, is_utf_16=True) == text
    return content if is_read else codecs.BOM_UTF16_BE + content


def _webui_text(image: Image, shown: str) -> str:
    """Find the text of A1111; "" if there is none.

    Args:
        shown: what a warning calls a text that cannot be decoded.
    """
    found = png_text(image, PARAMETERS, shown)
    if found is None and image.format == "PNG":
        image.load()  # texts may be behind the pixels
        found = png_text(image, PARAMETERS, shown)
    if found is not None:
        # Fooocus writes JSON there, and so does SwarmUI
        is_json = found.startswith("{") and found.rstrip().endswith("}")
        return "" if is_json and not is_swarmui(found) else found
    exif = image.getexif()
    for comment in (exif.get_ifd(_EXIF).get(_USER_COMMENT), image.info.get("comment")):
        if comment is None:
            continue
        text = _decoded(comment) if isinstance(comment, bytes) else of_latin_1(str(comment))
        # Cameras and editors write comments, too: a prompt alone is one of a file without a camera.
        is_prompt = isinstance(comment, bytes) and comment.startswith(_UNICODE) and len(exif) == 1
        if has_settings(text) or is_prompt or is_swarmui(text):
            warn_of_lost_signs(text, shown)
            content = (
                comment if isinstance(comment, bytes) else str(comment).encode("latin-1", "replace")
            )
            warn_of_a_guess(text, content, shown)
            return text
    return ""


def _decoded(comment: bytes) -> str:
    """Decode EXIF's comment, or a comment of JPEG."""
    kind, text = comment[:8], comment[8:]
    is_exif = kind in {_UNICODE, _ASCII, _UNDEFINED}
    return of_exif(text if is_exif else comment, is_utf_16=kind == _UNICODE).strip("\0")
