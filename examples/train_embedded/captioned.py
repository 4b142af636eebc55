"""Draw scenes with captions in plain English: pictures for `clipcond align --image`.

Writes NUMBER.png, 64 x 64, and captions.tsv: a picture and what the teacher is told, a line each.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace
from pathlib import Path

from captions import Mix, describe
from pairs_zh import plain
from phrasing import draw_things
from PIL import Image
from rich.progress import track
from world import render

MIX = Mix(pair=0.5, sized=0.3, empty=0.03, filler=0.0, strange=0.0)


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pair", type=float, default=MIX.pair, help="share of pairs")
    parser.add_argument("-o", "--out", type=Path, default=Path("captioned"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rng, mix = random.Random(f"captioned {options.seed}"), replace(MIX, pair=options.pair)
    with (options.out / "captions.tsv").open("w", encoding="utf-8", newline="\n") as file:
        for i in track(range(options.n), "pictures"):
            background, nouns = draw_things(rng, mix)
            sample = describe(background, nouns, rng, mix)
            name = f"{i:05}.png"
            Image.fromarray(render(sample.scene, rng)).save(options.out / name)
            print(name, plain(background, nouns, sample.said), sep="\t", file=file)


if __name__ == "__main__":
    main()
