"""Captions, and encodings of them into folders, that tests of several files use."""

import hashlib
from pathlib import Path

from clipcond.bulk import CaptionEncoder, encode_captions
from tests.conditioning.conditioners import single

CAPTIONS = [f"a cat number {i}" + " x" * (80 * (i % 7 == 3)) for i in range(23)]


def write_captions(folder: Path) -> Path:
    path = folder / "captions.txt"
    path.write_text("".join(f"{each}\n" for each in CAPTIONS))
    return path


def encode(captions: Path, folder: Path, encoder: CaptionEncoder | None = None, **choices):
    """Encode in shards of five."""
    encoder = CaptionEncoder(single) if encoder is None else encoder
    return encode_captions(
        captions, folder, encoder, **{"shard_size": 5, "batch_size": 4, **choices}
    )


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file of a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
