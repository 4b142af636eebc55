"""Measure the embedded model on prompts and seeds that training never saw.

Prints one row a test: how often the background, the object, both objects of a pair and their order
are right; then the emphasis curve. Writes results.json, emphasis.png and pictures.png.
"""

from __future__ import annotations

import argparse
import json
import random
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from captions import ENGLISH, Mix
from phrasing import Language
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from similarity import similarity
from train_judge import border_colour, load_judge, views_of
from world import COLOURS, NOUNS

from clipcond import build_pipeline
from clipcond.errors import ClipcondWarning

BATCH = 20
EMPHASIS = (0.3, 0.6, 1.0, 1.3, 1.6)
FRESH = Mix(sized=0.0, filler=0.3, strange=0.0, held_out=True)


@dataclass(frozen=True, slots=True)
class Test:
    """One row: `n` fresh prompts of `n_things` things, drawn the same way for the same `draw`."""

    name: str
    n: int
    n_things: int
    clip_skip: int = 2
    n_chunks: int = 1
    draw: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a prompt asks for, by index of NOUNS, left first."""

    prompt: str
    background: str
    nouns: tuple[int, ...]


def fresh_prompts(test: Test) -> list[Asked]:
    """Prompts in phrasings that training did not use; in a long one the object comes second."""
    rng = random.Random(f"evaluation {test.draw or test.name}")
    asked = []
    for _ in range(test.n):
        background = rng.choice(list(COLOURS))
        nouns = rng.sample(range(len(NOUNS)), test.n_things)
        asked.append(Asked(worded(background, nouns, test, rng), background, tuple(nouns)))
    return asked


def worded(
    background: str,
    nouns: Sequence[int],
    test: Test,
    rng: random.Random,
    language: Language = ENGLISH,
) -> str:
    """A fresh prompt for these things, as the test has it."""
    text = language.describe(background, list(nouns), rng, FRESH).prompt
    return language.behind_filler(text, rng) if test.n_chunks > 1 else text


def images_of(pipe, prompts: list[str], seed: int, options: argparse.Namespace, **call):  # type: ignore[no-untyped-def]
    """Pictures [n 3 H W] in -1..1; picture i has the seed `seed + i`."""
    made = []
    for start in range(0, len(prompts), BATCH):
        some = prompts[start : start + BATCH]
        generators = [torch.Generator().manual_seed(seed + start + i) for i in range(len(some))]
        result = pipe(
            some,
            generator=generators,
            num_inference_steps=options.steps,
            guidance_scale=options.guidance,
            output_type="pt",
            **call,
        )
        made.append(result.images.float().cpu() * 2 - 1)
    return torch.cat(made)


def judge_images(images: torch.Tensor, asked: list[Asked], judge) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """The share of pictures in which each claim holds."""
    n_things = len(asked[0].nouns)
    views = views_of(images, n_things)
    with torch.no_grad():
        seen = judge(views.flatten(0, 1)).argmax(1).view(-1, n_things).tolist()
    rows = list(zip(seen, asked, images, strict=True))
    result = {"colour": np.mean([border_colour(i) == a.background for _, a, i in rows])}
    both = [set(s) == set(a.nouns) for s, a, _ in rows]
    if n_things == 1:
        return result | {"object": np.mean(both)}
    ordered = [tuple(s) == a.nouns for s, a, _ in rows]
    result["each object"] = np.mean([np.mean([n in s for n in a.nouns]) for s, a, _ in rows])
    result["both objects"] = np.mean(both)
    result["left/right"] = sum(ordered) / max(1, sum(both))  # where both are there
    return result


def area(images: torch.Tensor) -> torch.Tensor:
    """Pixels of the left half that are not background: [n]."""
    left = images[..., : images.shape[-1] // 2]
    edge = torch.cat([left[:, :, :2].flatten(2), left[:, :, :, :2].flatten(2)], dim=2)
    away = (left - edge.median(dim=2).values[..., None, None]).abs().amax(dim=1)
    return (away > 0.35).float().sum(dim=(1, 2))


def emphasis_curve(pipe, judge, options: argparse.Namespace) -> list[dict[str, float]]:  # type: ignore[no-untyped-def]
    """`(cat:w) and a dog` over weights: area, similarity and how often each is there."""
    cat, dog = (next(i for i, n in enumerate(NOUNS) if n.names[0] == x) for x in ("cat", "dog"))
    rows = []
    for weight in track(EMPHASIS, "emphasis"):
        prompts = [f"(cat:{weight}) and a dog"] * options.seeds
        images = images_of(pipe, prompts, 9_000_000, options)
        with torch.no_grad():
            seen = judge(views_of(images, 2).flatten(0, 1)).argmax(1).view(-1, 2).tolist()
        rows.append(
            {
                "weight": weight,
                "area": area(images).mean().item(),
                "similarity": similarity(images, ["a cat"]).mean().item(),
                "cat": float(np.mean([cat in s for s in seen])),
                "dog": float(np.mean([dog in s for s in seen])),
            }
        )
    return rows


def plot(rows: list[dict[str, float]], path: Path) -> None:
    """The emphasis curve as a picture."""
    import matplotlib.pyplot as plt

    figure, left = plt.subplots(figsize=(6, 3.4), dpi=120)
    weights = [row["weight"] for row in rows]
    left.plot(weights, [row["area"] for row in rows], "o-", color="tab:blue")
    left.set_xlabel('w in "(cat:w) and a dog"')
    left.set_ylabel("area of the cat, pixels", color="tab:blue")
    right = left.twinx()
    right.plot(weights, [row["similarity"] for row in rows], "s--", color="tab:orange")
    right.set_ylabel('CLIP similarity to "a cat"', color="tab:orange")
    figure.tight_layout()
    figure.savefig(path)


def grid(images: torch.Tensor, columns: int, scale: int = 2) -> Image.Image:
    """Pictures [n 3 H W] side by side."""
    n, _, height, width = images.shape
    sheet = Image.new("RGB", (columns * width, -(-n // columns) * height))
    for i, image in enumerate(images):
        pixels = ((image.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        sheet.paste(Image.fromarray(pixels), (i % columns * width, i // columns * height))
    return sheet.resize((sheet.width * scale, sheet.height * scale), Image.Resampling.NEAREST)


def tests(n: int) -> list[Test]:
    """The rows of the table."""
    return [
        Test("one object, clip skip 2", n, 1, 2, draw="one"),
        Test("one object, clip skip 1", n, 1, 1, draw="one"),
        Test("object in the second chunk, clip skip 2", n // 2, 1, 2, n_chunks=2),
        Test("pair, clip skip 2", n, 2, 2, draw="two"),
        Test("pair, clip skip 1", n, 2, 1, draw="two"),
    ]


def run_tests(  # type: ignore[no-untyped-def]
    pipe,
    judge,
    options: argparse.Namespace,
    prompts_of: Callable[[Test], list[Asked]] = fresh_prompts,
) -> tuple[list[dict[str, object]], torch.Tensor]:
    """All rows, and the first 40 pictures of two of them."""
    results, shown = [], []
    for number, test in enumerate(tests(options.n)):
        asked = prompts_of(test)
        prompts = [a.prompt for a in asked]
        began = time.perf_counter()
        seed = 1_000_000 * (number + 1)
        images = images_of(pipe, prompts, seed, options, clip_skip=test.clip_skip)
        seconds = (time.perf_counter() - began) / len(images)
        row = {k: round(float(v), 4) for k, v in judge_images(images, asked, judge).items()}
        results.append({"test": test.name, "n": test.n} | row | {"seconds": round(seconds, 2)})
        print(results[-1], flush=True)
        if test.clip_skip == 2 and test.n_chunks == 1:
            shown.append(images[:40])
    return results, torch.cat(shown)


COLUMNS = ("test", "n", "colour", "object", "both objects", "left/right", "seconds")


def show(results: list[dict[str, object]], columns: Sequence[str] = COLUMNS) -> None:
    """The table."""
    table = Table(*columns)
    for row in results:
        table.add_row(*(str(row.get(c, "")) for c in columns))
    Console().print(table)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options of every evaluation."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--model", type=Path, help="a pipeline folder instead of the embedded one")
    parser.add_argument("--n", type=int, default=400, help="pictures of the main tests")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=5.0)
    return parser


def main() -> None:
    """Run every test on a pipeline folder (the embedded one by default)."""
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=50, help="pictures a weight of the curve")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ClipcondWarning)
    folder = options.runs / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    pipe = build_pipeline(options.model and str(options.model), clip_skip=2)
    pipe.set_progress_bar_config(disable=True)
    judge = load_judge(options.runs)
    results, shown = run_tests(pipe, judge, options)
    grid(shown, 10).save(folder / "pictures.png")
    curve = emphasis_curve(pipe, judge, options) if options.seeds else []
    if curve:
        plot(curve, folder / "emphasis.png")
    show(results)
    settings = {"steps": options.steps, "guidance": options.guidance}
    text = json.dumps(settings | {"tests": results, "emphasis": curve}, indent=1)
    (folder / "results.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
