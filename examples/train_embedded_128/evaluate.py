"""Measure the model on scenes, phrasings and seeds that training never saw, in one command.

`python -m train_embedded_128.evaluate --runs runs_128` prints a table for English, Chinese and both
mixed; the judge's own accuracy; CLIP's zero-shot accuracy on artists it saw and did not see; and
emphasis of size and of style over weights. It writes results.json, emphasis.png and sheet.png,
which shows the prompts of prompts_by_hand.txt.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor
from transformers import CLIPModel, CLIPTokenizer

from clipcond import build_pipeline
from clipcond.errors import ClipcondWarning

from .fetch_artwork import ARTWORK
from .first_edition import TOKENIZER
from .judging import halves, judge_accuracy, load_judge, whole
from .measuring import NOTHING, Row, asked, measure_row, noun_index, pictures, rows
from .minilm import adapter_file, tower_folder
from .models import Judge
from .render import STYLE_NAMES, as_tensors
from .settings import TINY, Sizes
from .sprites import Sprites, load_sprites
from .world import BACKGROUNDS
from .zero_shot import photographs, zero_shot

BY_HAND = Path(__file__).parent / "prompts_by_hand.txt"
WEIGHTS = (0.3, 0.6, 1.0, 1.3, 1.6)
COLUMNS = "background drawn object both order count style colour".split()
Rows = list[dict[str, object]]
SYSTEMS = ("en", "zh", "mixed", "minilm")  # the last is a tower of others: see minilm.py


def sheet(images: Tensor, columns: int) -> Image.Image:
    """Pictures [n 3 H W] in -1..1 side by side."""
    n, _, height, width = images.shape
    made = Image.new("RGB", (columns * width, math.ceil(n / columns) * height))
    for i, image in enumerate(((images.clamp(-1, 1) + 1) * 127.5).round().byte()):
        place = (i % columns * width, i // columns * height)
        made.paste(Image.fromarray(image.permute(1, 2, 0).numpy()), place)
    return made


def pipeline(options: argparse.Namespace, system: str):  # type: ignore[no-untyped-def]
    """The pipeline with the tower that reads a system's prompts."""
    folder = options.model or options.runs / "embedded"
    tower, adapter = folder / "zh" / "tower", folder / "zh" / "adapter.safetensors"
    if system == "minilm":
        tower, adapter = tower_folder(), adapter_file(options.runs)
    choices = {} if system == "en" else {"tower": str(tower), "adapter": str(adapter)}
    pipe = build_pipeline(str(folder / "model"), device=options.device, **choices)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@torch.no_grad()
def emphasis(pipe, judge: Judge, n: int, **call) -> list[dict[str, float]]:  # type: ignore[no-untyped-def]
    """Over weights: how much of the left half `(cat:w) and a dog` covers, and how probable the
    judge finds 3d in `a cat, (3d:w)`.
    """
    found = []
    cat, three = noun_index("cat"), STYLE_NAMES.index("3d")
    for weight in WEIGHTS:
        images = pictures(pipe, [f"a (cat:{weight}) and a dog"] * n, 900_000, **call)
        left = images[..., : images.shape[-1] // 2]
        away = (left - left[:, :, :3].flatten(2).median(2).values[..., None, None]).abs().amax(1)
        seen = judge(halves(images, above=False)[:, 0])["noun"].argmax(1)
        styled = pictures(pipe, [f"a cat, (3d:{weight})"] * n, 910_000, **call)
        style = judge(whole(styled))["style"].softmax(1)[:, three]
        found.append(
            {
                "weight": weight,
                "area": (away > 0.35).float().mean().item(),
                "cat": (seen == cat).float().mean().item(),
                "3d": style.mean().item(),
            }
        )
    return found


def plot(found: Sequence[dict[str, float]], path: Path) -> None:
    """Emphasis as a picture."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), dpi=120)
    for axis, name, label in (
        (axes[0], "area", 'w in "a (cat:w) and a dog"'),
        (axes[1], "3d", 'w in "a cat, (3d:w)"'),
    ):
        axis.plot([row["weight"] for row in found], [row[name] for row in found], "o-")
        axis.set_xlabel(label)
        axis.set_ylabel({"area": "share of the half covered", "3d": "judge's p(3d)"}[name])
    figure.tight_layout()
    figure.savefig(path)


def show(results: Rows) -> None:
    """The table."""
    table = Table("prompts", "row", "n", *COLUMNS, "s each")
    for row in results:
        table.add_row(*(str(row.get(c, "")) for c in ("system", "row", "n", *COLUMNS, "seconds")))
    Console(width=140).print(table)


def by_hand() -> list[str]:
    """The prompts of the contact sheet; Chinese ones are read by the Chinese tower."""
    lines = BY_HAND.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def contact_sheet(options: argparse.Namespace, **call) -> Image.Image:  # type: ignore[no-untyped-def]
    """Draw the prompts by hand at the model's own settings, eight in a row."""
    prompts = by_hand()
    is_english = [prompt.isascii() for prompt in prompts]
    made: list[Tensor] = [torch.empty(0)] * len(prompts)
    for system, wanted in (("en", True), ("zh", False)):
        which = [i for i, english in enumerate(is_english) if english == wanted]
        if system == "zh" and system not in options.systems:
            which, made = [], [m if m.numel() else torch.ones(3, 128, 128) for m in made]
        if which:
            pipe = pipeline(options, system)
            images = pictures(pipe, [prompts[i] for i in which], 42, **call)
            for i, image in zip(which, images, strict=True):
                made[i] = image
    return sheet(torch.stack(made), 8)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs_128"))
    parser.add_argument("--model", type=Path, help="its folders; runs/embedded by default")
    parser.add_argument("--sprites", type=Path, default=ARTWORK / "sprites.npz")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--n", type=int, default=200, help="pictures a row")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, help="by default the model's own")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS[:3])
    parser.add_argument("--rows", nargs="+", help="of the table; all by default")
    parser.add_argument("--tiny", action="store_true", help="a model made with --tiny")
    return parser


def table(options: argparse.Namespace, judge: Judge, sprites: Sprites, **call) -> Rows:  # type: ignore[no-untyped-def]
    """Every row of every system."""
    results: Rows = []
    for system in options.systems:
        pipe = pipeline(options, system)
        for row in rows():
            if options.rows and row.name not in options.rows:
                continue
            began = time.monotonic()
            shares, _ = measure_row(row, options.n, pipe, judge, sprites.offers, system, **call)
            seconds = round((time.monotonic() - began) / options.n, 2)
            facts = {"system": system, "row": row.name, "n": options.n, "seconds": seconds}
            results.append(facts | shares)
            print(results[-1], flush=True)
    return results


def accuracies(options: argparse.Namespace, judge: Judge, sprites: Sprites) -> dict[str, object]:
    """How well the judge and the CLIP read renderings of all artists."""
    shown = Row("judge", replace(NOTHING, pair=0.4, several=0.2, styled=0.3, coloured=0.3))
    scenes = as_tensors([scene for _, scene in asked(shown, 1000, sprites.offers, "en")])
    found: dict[str, object] = {"judge": judge_accuracy(judge, sprites, scenes, "cpu")}
    if (options.runs / "vision" / "final").is_dir():
        clip = CLIPModel.from_pretrained(options.runs / "vision" / "final")
        tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
        found["zero-shot"] = {
            name: zero_shot(clip, tokenizer, sprites, "cpu", backgrounds)
            for name, backgrounds in (("on white", ("white",)), ("on all", BACKGROUNDS))
        }
        found["photographs"] = photographs(clip, tokenizer)
    return found


def main() -> None:
    """Measure and write; what is of no tower but the English one is measured with it."""
    options = arguments().parse_args()
    warnings.simplefilter("ignore", ClipcondWarning)
    out = options.runs / "evaluation"
    out.mkdir(parents=True, exist_ok=True)
    judge = load_judge(options.runs, TINY if options.tiny else Sizes())
    sprites = load_sprites(options.sprites)
    call = {"steps": options.steps, "guidance": options.guidance}
    results = table(options, judge, sprites, **call)
    found: dict[str, object] = {"table": results}
    if "en" in options.systems:
        degrees = emphasis(pipeline(options, "en"), judge, options.n, **call)
        plot(degrees, out / "emphasis.png")
        found |= {"emphasis": degrees} | accuracies(options, judge, sprites)
        contact_sheet(options, **call).save(out / "sheet.png")
    show(results)
    name = "results" if "en" in options.systems else "_".join(["results", *options.systems])
    text = json.dumps(found, indent=1, ensure_ascii=False)
    (out / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(json.dumps({key: each for key, each in found.items() if key != "table"}, indent=1))


if __name__ == "__main__":
    main()
