"""The package of the second edition, and sprites that are drawn here: no artwork, no network."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

from train_embedded_128.nouns import NOUNS  # noqa: E402
from train_embedded_128.pack import SETS, write_pack  # noqa: E402
from train_embedded_128.sprites import load_sprites  # noqa: E402

SIDE = 32  # pixels of a sprite


def shape(noun: int, which: int) -> Image.Image:
    """A blob of one colour and a dot of another, whose form depends on noun and artist."""
    rng = np.random.default_rng(noun * 10 + which)
    picture = Image.new("RGBA", (SIDE, SIDE))
    draw = ImageDraw.Draw(picture)
    colour = tuple(int(c) for c in rng.integers(40, 230, 3))
    box = (2, 2 + noun % 7, SIDE - 3, SIDE - 3 - noun % 5)
    (draw.ellipse if noun % 2 else draw.rectangle)(box, fill=(*colour, 255))
    draw.ellipse((12, 12, 12 + which, 12 + which), fill=(0, 0, 0, 255))
    return picture


@pytest.fixture(scope="session")
def pack(tmp_path_factory):
    """A packed file in which one artist lacks some nouns."""
    path = tmp_path_factory.mktemp("sprites") / "sprites.npz"
    sprites = {
        (noun.names[0], name): shape(i, s)
        for i, noun in enumerate(NOUNS)
        for s, name in enumerate((*SETS, "twemoji"))
        if not (name == "noto-v1" and i % 9 == 0)
    }
    write_pack(path, sprites)
    return path


@pytest.fixture(scope="session")
def sprites(pack):
    return load_sprites(pack)
