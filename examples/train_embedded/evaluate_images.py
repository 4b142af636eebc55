"""Measure what variations of pictures keep: the background, an object, a pair and its order.

Draws fresh scenes, makes one variation of each with the image adapter, and asks the judge. Prints
one row a kind of scene and writes variations.png: scenes above, their variations below.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import torch
from evaluate import BATCH, Asked, arguments, grid, judge_images, show
from PIL import Image
from train_judge import load_judge
from world import COLOURS, NOUNS, ONE, PAIR, place, render

from clipcond import build_pipeline
from clipcond.reading import load_encoder

N_SHOWN, SHOWN_A_ROW = 40, 10
SEED = 7_000_000  # of the first variation; the recipe's other measurements use others


def fresh_scenes(n: int, n_things: int) -> tuple[list[Asked], torch.Tensor]:
    """What `n` scenes show, and their pictures [n 3 H W] in -1..1."""
    rng = random.Random(f"variations {n_things}")
    shown, pictures = [], []
    for _ in range(n):
        background, nouns = rng.choice(list(COLOURS)), rng.sample(range(len(NOUNS)), n_things)
        pixels = render(place(background, nouns, [ONE if n_things == 1 else PAIR] * n_things, rng))
        shown.append(Asked("", background, tuple(nouns)))
        pictures.append(torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1)
    return shown, torch.stack(pictures)


def pillow(images: torch.Tensor) -> list[Image.Image]:
    """Pictures [n 3 H W] in -1..1 as Pillow has them."""
    levels = ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(each) for each in levels]


def vary(pipe, images: torch.Tensor, **call) -> torch.Tensor:  # type: ignore[no-untyped-def]
    """One variation of each picture [n 3 H W]; that of picture i has the seed SEED + i."""
    made = []
    for start in range(0, len(images), BATCH):
        some = pillow(images[start : start + BATCH])
        generators = [torch.Generator().manual_seed(SEED + start + i) for i in range(len(some))]
        embeds = pipe.conditioner.with_image(some).embeds
        result = pipe(prompt_embeds=embeds, generator=generators, output_type="pt", **call)
        made.append(result.images.float().cpu() * 2 - 1)
    return torch.cat(made)


def main(argv: Sequence[str] | None = None) -> None:
    """Vary scenes of one object and of two."""
    parser = arguments(__doc__)
    parser.add_argument("--adapter", help="an image adapter instead of the embedded one")
    parser.set_defaults(n=100, guidance=3.0)
    options = parser.parse_args(argv)
    pipe = build_pipeline(options.model and str(options.model))
    pipe.set_progress_bar_config(disable=True)
    if options.adapter:
        pipe.conditioner.take_images(options.adapter, load_encoder("embedded"))
    judge, results, sheets = load_judge(options.runs), [], []
    call = {"num_inference_steps": options.steps, "guidance_scale": options.guidance}
    for name, n_things in (("one object", 1), ("pair", 2)):
        shown, scenes = fresh_scenes(options.n, n_things)
        made = vary(pipe, scenes, **call)
        for what, images in ((f"{name}, the scenes", scenes), (f"{name}, variations", made)):
            row = {k: round(float(v), 4) for k, v in judge_images(images, shown, judge).items()}
            results.append({"test": what, "n": options.n} | row)
        for start in range(0, min(N_SHOWN // 2, options.n), SHOWN_A_ROW):
            sheets += [each[start : start + SHOWN_A_ROW] for each in (scenes, made)]
    folder = options.runs / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    grid(torch.cat(sheets), SHOWN_A_ROW).save(folder / "variations.png")
    show(results, ("test", "n", "colour", "object", "both objects", "left/right"))
    print(json.dumps(call | {"tests": results}, indent=1))


if __name__ == "__main__":
    main()
