"""Write the pictures of `webui_pictures`, byte by byte, as A1111 and Civitai write theirs.

Nothing of clipcond takes part: the chunks are put together here by the rules of the formats.
Sources: PNG specification 11.3.4 (tEXt, iTXt), Exif 2.32 (UserComment), WebP container
specification (VP8X, EXIF), GIF89a (comment extension); A1111 writes "parameters" into PNG, EXIF's
UserComment in big-endian UTF-16 into JPEG, WebP and AVIF, a comment into GIF.
"""

import io
import json
import struct
import zlib
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
FOLDER = HERE / "webui_pictures"


def picture(kind, **options):
    """The content of a small picture without any text."""
    made = io.BytesIO()
    image = Image.effect_mandelbrot((16, 24), (-2, -1, 1, 1), 50).convert("RGB")
    image.save(made, kind, **options)
    return made.getvalue()


def chunk(name, content):
    """A chunk of PNG."""
    crc = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def png(text):
    """PNG with "parameters" before the pixels: tEXt if it is Latin-1, else iTXt."""
    try:
        made = chunk(b"tEXt", b"parameters\0" + text.encode("latin-1"))
    except UnicodeEncodeError:
        made = chunk(b"iTXt", b"parameters\0\0\0\0\0" + text.encode())
    bare = picture("PNG")
    return bare[:33] + made + bare[33:]  # the signature and IHDR are 33 bytes


def exif(comment, order=">"):
    """A TIFF header, IFD0 with one pointer, and the EXIF IFD with one UserComment."""
    mark = b"MM\0*" if order == ">" else b"II*\0"
    ifd0 = struct.pack(f"{order}HHHIII", 1, 0x8769, 4, 1, 26, 0)
    sub = struct.pack(f"{order}HHHIII", 1, 0x9286, 7, len(comment), 44, 0)
    return mark + struct.pack(f"{order}I", 8) + ifd0 + sub + comment


def unicode_comment(text, order="be"):
    """The comment that says it is Unicode, and the text in UTF-16."""
    return b"UNICODE\0" + text.encode(f"utf-16-{order}")


def jpeg(made):
    """JPEG with EXIF in APP1, directly behind its start."""
    content = b"Exif\0\0" + made
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(content) + 2) + content + picture("JPEG")[2:]


def webp(made):
    """The extended WebP format: VP8X with the flag of EXIF, the pixels, EXIF."""

    def riff(name, content):
        return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    size = struct.pack("<I", 15)[:3] + struct.pack("<I", 23)[:3]
    header = riff(b"VP8X", bytes([0x08, 0, 0, 0]) + size)
    pixels = picture("WEBP", lossless=True)[12:]
    return riff(b"RIFF", b"WEBP" + header + pixels + riff(b"EXIF", made))


def gif(text):
    """GIF with a comment before its first picture."""
    bare, content = picture("GIF"), text.encode()
    blocks = [content[at : at + 255] for at in range(0, len(content), 255)]
    comment = b"!\xfe" + b"".join(bytes([len(part)]) + part for part in blocks) + b"\0"
    at = 13 + 3 * 2 ** ((bare[10] & 7) + 1)  # behind the header and the colours
    return bare[:at] + comment + bare[at:]


def main():
    """Write all of them, each with the text of that place in infotexts.json."""
    texts = json.loads((HERE / "infotexts.json").read_text(encoding="utf-8"))
    FOLDER.mkdir(exist_ok=True)
    for at, text in enumerate(texts):
        made = exif(unicode_comment(text))
        files = {
            "png": png(text),
            "jpg": jpeg(made),
            "webp": webp(made),
            "civitai.jpg": jpeg(exif(unicode_comment(text), "<")),
            "little.jpg": jpeg(exif(unicode_comment(text, "le"), "<")),
            "gif": gif(text),
        }
        ending = list(files)[at % len(files)]
        (FOLDER / f"{at:02}.{ending}").write_bytes(files[ending])


if __name__ == "__main__":
    main()
