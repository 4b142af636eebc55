"""Measure where heat maps point: at the thing that the word means, in scenes of fresh phrasings.

Where a thing is, the picture itself says: backgrounds are plain, so a thing is the box around the
pixels that differ from the border's median colour; of a pair, each in its half. Prints, for each
test and choice of layers, in percent:

    peak in box, in thing   whether the map's highest value is in that box, on such a pixel
    right half              of a pair: whether it is in the half of its own thing
    mass in box             how much of the map's sum is in the box
    chance                  how much of the picture the box takes: what a map without aim would have
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator

import torch
from evaluate import Asked, Test, fresh_prompts
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from world import NOUNS

from clipcond import build_pipeline
from clipcond.errors import ClipcondWarning
from clipcond.pipelines import HeatMap, trace
from clipcond.pipelines.own_settings import own_size

STEPS, BATCH, AWAY = 20, 20, 0.175  # of the range of colours, as in `evaluate.area`
TESTS = [Test("heat maps, one object", 200, 1), Test("heat maps, two objects", 200, 2)]
LAYERS = {"all": None, "up_blocks.1": "up_blocks.1"}
COLUMNS = ("peak in box", "peak in thing", "right half", "mass in box", "chance")


def drawn(pipe, asked: list[Asked], seed: int) -> Iterator[tuple[Asked, Tensor, object, int]]:  # type: ignore[no-untyped-def]
    """Draw prompts; yield each with its picture [3 H W] in 0..1, what was seen, and its place."""
    for start in track(range(0, len(asked), BATCH), f"{len(asked[0].nouns)} things"):
        some = asked[start : start + BATCH]
        seeds = range(seed + start, seed + start + len(some))
        generator = [torch.Generator().manual_seed(each) for each in seeds]
        with trace(pipe) as seen:
            call = {"num_inference_steps": STEPS, "generator": generator, "output_type": "pt"}
            images = pipe([each.prompt for each in some], **call).images
        for i, each in enumerate(some):
            yield each, images[i], seen, i


def thing_of(image: Tensor, half: slice) -> Tensor:
    """Find the pixels of half of a picture, or of all, that are not background: bool [H W]."""
    part = image[..., half]
    border = [part[:, :2], part[:, -2:]]
    if half == slice(None):
        border += [part[..., :2].mT, part[..., -2:].mT]
    edge = torch.cat([each.flatten(1) for each in border], dim=1)
    found = torch.zeros(image.shape[1:], dtype=torch.bool)
    found[:, half] = (part - edge.median(dim=1).values[:, None, None]).abs().amax(0) > AWAY
    return found


def box_of(thing: Tensor) -> Tensor:
    """Fill the box around some pixels: bool [H W]."""
    rows, columns = thing.any(1).nonzero(), thing.any(0).nonzero()
    box = torch.zeros_like(thing)
    if len(rows):
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return box


def measured(heat: HeatMap, thing: Tensor, half: slice) -> list[float]:
    """Say of one map what the columns say; without two halves, that column is 1."""
    x, y = heat.peak
    box, mass = box_of(thing), float(heat.values.sum())
    is_right = x in range(heat.values.shape[1])[half]
    inside = float(heat.values[box].sum()) / mass
    return [bool(box[y, x]), bool(thing[y, x]), is_right, inside, float(box.float().mean())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="scenes a test")
    n = parser.parse_args().n
    warnings.simplefilter("ignore", ClipcondWarning)
    pipe = build_pipeline(clip_skip=2)
    pipe.set_progress_bar_config(disable=True)
    table = Table("test", "layers", "maps", *COLUMNS)
    for number, test in enumerate(TESTS):
        middle = own_size(pipe)[0] // 2
        halves = [slice(None)] if test.n_things == 1 else [slice(middle), slice(middle, None)]
        found: dict[str, list[list[float]]] = {name: [] for name in LAYERS}
        asked = fresh_prompts(test)[:n]
        for each, image, seen, i in drawn(pipe, asked, 7_000_000 + number * 1_000_000):
            for noun, half in zip(each.nouns, halves, strict=True):
                named = [name for name in NOUNS[noun].names if name in each.prompt]
                thing = thing_of(image, half)
                for name, layers in LAYERS.items():
                    heat = seen.heat_map(max(named, key=len), image=i, layers=layers)
                    found[name].append(measured(heat, thing, half))
        for name, rows in found.items():
            means = (torch.tensor(rows).mean(0) * 100).tolist()
            shown = (f"{mean:.1f}" for mean in means)
            table.add_row(test.name, name, str(len(rows)), *shown)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
