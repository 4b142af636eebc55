"""Recognise files that are mistaken for model files, by how they begin."""

from __future__ import annotations

import json
from dataclasses import dataclass

from clipcond.errors import excerpt, printable

LONGEST = 512  # bytes that are enough to recognise any of them
ARCHIVE = b"PK\x03\x04"  # a zip archive, as torch saves since 1.6
OLD_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
_AGAIN = "Download or save it again."
_CONVERT = "Use the model's .safetensors version."
_UNPACK = "Unpack it, and give the file inside."


@dataclass(frozen=True, slots=True)
class Signature:
    """What a file is by its first bytes, and what to do about it."""

    called: str
    remedy: str = _AGAIN


_PICTURE = "It is no model: check the path."
# Beginnings of files, in small letters, and what such a file is.
_SIGNS: tuple[tuple[tuple[bytes, ...], Signature], ...] = (
    ((ARCHIVE.lower(), *OLD_PICKLES), Signature("a pickle, as torch.save writes it")),
    (
        (b"version https://git-lfs",),
        Signature("a pointer of Git LFS: the file itself was not downloaded"),
    ),
    ((b"gguf", b"ggml", b"ggjt"), Signature("a GGUF file, quantised for llama.cpp", _CONVERT)),
    ((b"\x89png\r\n",), Signature("a PNG picture", _PICTURE)),
    ((b"\xff\xd8\xff",), Signature("a JPEG picture", _PICTURE)),
    ((b"gif8",), Signature("a GIF picture", _PICTURE)),
    ((b"%pdf",), Signature("a PDF document", _PICTURE)),
    ((b"<!doctype", b"<html", b"<head", b"<body", b"<!--"), Signature("a web page")),
    ((b"<?xml", b"<error"), Signature("an XML document, as servers answer errors")),
    ((b"\x1f\x8b",), Signature("a gzip archive", _UNPACK)),
    ((b"7z\xbc\xaf\x27\x1c",), Signature("a 7z archive", _UNPACK)),
    ((b"rar!",), Signature("a RAR archive", _UNPACK)),
    ((b"\xfd7zxz",), Signature("an xz archive", _UNPACK)),
    ((b"bzh",), Signature("a bzip2 archive", _UNPACK)),
    ((b"\x28\xb5\x2f\xfd",), Signature("a Zstandard archive", _UNPACK)),
    ((b"\x89hdf",), Signature("an HDF5 file, as Keras writes it", _CONVERT)),
    ((b"\x93numpy",), Signature("an array of NumPy", _CONVERT)),
    ((b"par1",), Signature("a Parquet table", _PICTURE)),
    ((b"sqlite format",), Signature("a database of SQLite", _PICTURE)),
    ((b"\x7felf", b"mz\x90"), Signature("a program", _PICTURE)),
)


def recognise(begins: bytes) -> Signature | None:
    """Name the kind of a file that is no safetensors file; None for unknown bytes.

    Args:
        begins: its first `LONGEST` bytes, or all it has.
    """
    bare = begins.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for starts, signature in _SIGNS:
        if begins.lower().startswith(starts) or bare.startswith(starts):
            return signature
    if begins[:4] == b"RIFF" and begins[8:12] == b"WEBP":
        return Signature("a WebP picture", _PICTURE)
    if begins[257:262] == b"ustar":
        return Signature("a tar archive", _UNPACK)
    if len(begins) >= 64 and not any(begins):
        return Signature("zeros at its beginning: its download was not finished")
    return _text(begins)


def _text(begins: bytes) -> Signature | None:
    """Recognise JSON and other text, such as a server's answer in place of the file."""
    try:
        text = begins.decode("utf-8", errors="strict" if len(begins) < LONGEST else "ignore")
    except UnicodeDecodeError:
        return None
    shown = printable(" ".join(text.split()))
    if len(shown) < 9 or "\ufffd" in shown:
        return None
    if shown.startswith(("{", "[")):
        return Signature(f"JSON{_said(text)}: {excerpt(shown, 80)!r}")
    return Signature(f"text: {excerpt(shown, 80)!r}")


def _said(text: str) -> str:
    """Say that JSON is an error message where it is one."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    is_error = isinstance(found, dict) and any(key in found for key in ("error", "message"))
    return ", a server's error message" if is_error else ""
