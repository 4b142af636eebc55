"""Draw every noun by every artist and pack the sprites into one file.

`python -m train_embedded_128.pack` reads what `fetch_artwork` fetched and writes `sprites.npz`:
WebP pictures of 128 x 128 pixels with alpha, cropped to their ink and centred.
"""

from __future__ import annotations

import argparse
import io
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .fetch_artwork import (
    ARTWORK,
    FLUENT_3D,
    FLUENT_FLAT,
    NAMES,
    NOTO,
    NOTO_V1,
    OPENCLIPART,
    TWEMOJI,
    Source,
)
from .nouns import NOUNS, Noun

SIDE = 128  # pixels
MARGIN = 3  # pixels, so that nothing is cut where a sprite is turned
SETS = ("noto", "noto-v1", "fluent-3d", "fluent-flat")  # trained on
HELD_OUT_SETS = ("twemoji", "openclipart")  # only measured
CLIPART = Path(__file__).parent / "clipart.tsv"  # noun, file below its folder: picked by hand
# Where an icon set has another name than the Unicode label.
OTHER_NAMES = {"enraged-face": ("pouting-face",), "mage": ("woman-mage", "man-mage")}
OTHER_NAMES |= {"merperson": ("mermaid", "merman"), "ninja": ("ninja-medium-light",)}


def tidy(picture: Image.Image) -> Image.Image | None:
    """Crop to the ink, centre in a square of SIDE pixels; None where there is no ink."""
    picture = picture.convert("RGBA")
    box = picture.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox()
    if box is None:
        return None
    ink = picture.crop(box).convert("RGBa")
    room = SIDE - 2 * MARGIN
    ratio = room / max(ink.size)
    size = [max(1, round(side * ratio)) for side in ink.size]
    square = Image.new("RGBa", (SIDE, SIDE))
    ink = ink.resize(size, Image.Resampling.LANCZOS)
    square.paste(ink, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return square.convert("RGBA")


@cache
def _json(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))


def slugs(noun: Noun, artwork: Path) -> list[str]:
    """Spell the names that icon sets may have for an emoji: its Unicode label, in hyphens."""
    rows = _json(artwork / NAMES.folder / "en" / "data.json")
    labels = {text: row["label"] for row in rows for text in (row["emoji"], row.get("text"))}  # type: ignore[attr-defined]
    label = next(labels[e] for e in (noun.emoji, noun.emoji + "\ufe0f") if e in labels)
    slug = re.sub(r"[^a-z0-9]+", "-", label.lower().replace("\u2019", "")).strip("-")
    return [slug, *OTHER_NAMES.get(slug, ())]


def icon(noun: Noun, artwork: Path, source: Source) -> Image.Image | None:
    """Draw an SVG of an icon set, which has it by its Unicode label."""
    from resvg_py import svg_to_bytes

    found = _json(artwork / source.folder / "icons.json")
    icons: dict[str, dict[str, str]] = found["icons"]  # type: ignore[index]
    for slug in slugs(noun, artwork):
        slug = found.get("aliases", {}).get(slug, {}).get("parent", slug)  # type: ignore[attr-defined]
        if slug in icons:
            width, height = found.get("width", 16), found.get("height", 16)  # type: ignore[attr-defined]
            head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
            body = head + icons[slug]["body"] + "</svg>"
            drawn = svg_to_bytes(svg_string=body, width=2 * SIDE, height=2 * SIDE)
            return Image.open(io.BytesIO(bytes(drawn)))
    return None


def noto(noun: Noun, artwork: Path) -> Image.Image:
    """Draw with the font, at its only size."""
    font = ImageFont.truetype(str(artwork / NOTO.package / "NotoColorEmoji.ttf"), 109)
    canvas = Image.new("RGBA", (180, 180))
    ImageDraw.Draw(canvas).text((10, 10), noun.emoji, font=font, embedded_color=True)
    return canvas


def fluent_3d(noun: Noun, artwork: Path) -> Image.Image | None:
    """Open the file of its code points."""
    folder = artwork / FLUENT_3D.folder / "assets"
    paths = [folder / f"{noun.codes}{end}.webp" for end in ("", "-fe0f")]
    return next((Image.open(path) for path in paths if path.is_file()), None)


@cache
def clipart_files() -> dict[str, str]:
    """Read which file of openclipart shows which noun: paths below its folder, by noun."""
    lines = CLIPART.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines)


def clipart(noun: Noun, artwork: Path) -> Image.Image | None:
    """Open the file that clipart.tsv names for a noun; None where it names none.

    Without openclipart, which is fetched only where it is asked for, there is none of any noun.
    """
    folder, file = artwork / OPENCLIPART.package, clipart_files().get(noun.names[0])
    if file is None or not folder.is_dir():
        return None
    if not (folder / file).is_file():
        raise SystemExit(
            f"{folder} has no {file}, which {CLIPART.name} names for {noun.names[0]!r}: "
            "delete the folder and fetch it again with fetch_artwork --clipart"
        )
    return Image.open(folder / file)


ARTISTS: dict[str, Callable[[Noun, Path], Image.Image | None]] = {
    "noto": noto,
    "noto-v1": lambda noun, artwork: icon(noun, artwork, NOTO_V1),
    "fluent-3d": fluent_3d,
    "fluent-flat": lambda noun, artwork: icon(noun, artwork, FLUENT_FLAT),
    "twemoji": lambda noun, artwork: icon(noun, artwork, TWEMOJI),
    "openclipart": clipart,
}


def encoded(picture: Image.Image, quality: int) -> bytes:
    """A picture as WebP; quality 100 loses nothing."""
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=quality, lossless=quality == 100, method=2)
    return file.getvalue()


def write_pack(path: Path, sprites: dict[tuple[str, str], Image.Image], quality: int = 100) -> None:
    """Write sprites, by noun and set, into one file.

    It holds `names` and `sets` (the keys), `pictures` (all files' bytes) and `ends`, where each
    ends.
    """
    files = [encoded(picture, quality) for picture in sprites.values()]
    names, sets = zip(*sprites, strict=True)
    np.savez(
        path,
        names=np.array(names),
        sets=np.array(sets),
        pictures=np.frombuffer(b"".join(files), dtype=np.uint8),
        ends=np.cumsum([len(file) for file in files]),
    )


def main() -> None:
    """Draw, pack, and say what each set lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artwork", type=Path, default=ARTWORK)
    parser.add_argument("--quality", type=int, default=100, help="of WebP; 100 = lossless")
    parser.add_argument("-o", "--out", type=Path, default=ARTWORK / "sprites.npz")
    options = parser.parse_args()
    sprites: dict[tuple[str, str], Image.Image] = {}
    for name, draw in ARTISTS.items():
        missing = []
        for noun in NOUNS:
            drawn = draw(noun, options.artwork)
            drawn = drawn and tidy(drawn)
            if drawn is None:
                missing.append(noun.names[0])
            else:
                sprites[noun.names[0], name] = drawn
        print(f"{name}: {len(NOUNS) - len(missing)} nouns; not: {', '.join(missing) or '-'}")
    write_pack(options.out, sprites, options.quality)
    print(f"{len(sprites)} sprites, {options.out.stat().st_size / 1e6:.1f} MB: {options.out}")


if __name__ == "__main__":
    main()
