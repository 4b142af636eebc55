"""Draw scenes with captions in plain English: pictures for `clipcond align --image`.

`python -m train_embedded_128.captioned -o captioned` writes NUMBER.png, 128 x 128, and
captions.tsv: a picture and what it shows, a line each.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from PIL import Image

from .captioning import Said
from .captions import plain
from .fetch_artwork import ARTWORK
from .render import Renderer, as_tensors, seeded
from .sprites import Sprites, load_sprites
from .world import Mix, Places

MIX = Mix(degraded=0.02, empty=0.03)
AT_ONCE = 64  # pictures


def write_captioned(folder: Path, n: int, sprites: Sprites, seed: int) -> None:
    """Draw `n` scenes of the training side of the split, with what a picture of them can tell."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, places = random.Random(f"captioned {seed}"), Places(sprites.offers, MIX)
    renderer = Renderer(sprites)
    with (folder / "captions.tsv").open("w", encoding="utf-8", newline="\n") as file:
        for start in range(0, n, AT_ONCE):
            scenes = [places.draw(rng) for _ in range(min(AT_ONCE, n - start))]
            drawn = renderer.draw(as_tensors(scenes), seeded("cpu", "captioned", seed, start))
            pixels = ((drawn.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
            for i, (scene, picture) in enumerate(zip(scenes, pixels, strict=True), start):
                Image.fromarray(picture).save(folder / f"{i:05}.png")
                print(f"{i:05}.png", plain(Said("", scene)), sep="\t", file=file)


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=24_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sprites", type=Path, default=ARTWORK / "sprites.npz")
    parser.add_argument("-o", "--out", type=Path, default=Path("captioned"))
    options = parser.parse_args()
    write_captioned(options.out, options.n, load_sprites(options.sprites), options.seed)


if __name__ == "__main__":
    main()
