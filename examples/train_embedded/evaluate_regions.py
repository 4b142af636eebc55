"""Measure regions: one thing asked for on the left, another on the right, on fresh pairs.

The model has learned single things in the middle and pairs at the sides, so a region that names one
thing alone asks for it in the middle. Each row of the table says what base prompt and regions were,
for the same pairs. The judge looks at both halves. Prints the table and writes regions.png, the
first pictures of each row.
"""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from evaluate import Asked, arguments, grid, judge_images, show
from rich.progress import track
from train_judge import load_judge
from world import COLOURS, NOUNS

from clipcond import build_pipeline
from clipcond.errors import ClipcondWarning
from clipcond.pipelines import Region

SHOWN_A_ROW = 10
SEED = 8_000_000  # of the first picture; the recipe's other measurements use others


@dataclass(frozen=True, slots=True)
class Wording:
    """What a row asks with: {a} is left, {b} right, {on} the background."""

    base: str
    left: str = ""
    right: str = ""
    base_share: float | None = None


WORDINGS = (
    Wording("{a} and {b} {on}"),
    Wording("", "{a} and {a} {on}", "{b} and {b} {on}"),
    Wording("{a} and {b} {on}", "{a} {on}", "{b} {on}", 0.5),
    Wording("{a} and {b} {on}", "{a} {on}", "{b} {on}", 0.6),
    Wording("", "{a} {on}", "{b} {on}"),
)


def pairs(n: int) -> list[tuple[Asked, dict[str, str]]]:
    """Random pairs of things on random backgrounds, and the words for them."""
    rng, found = random.Random("regions"), []
    for _ in range(n):
        background = rng.choice(list(COLOURS))
        a, b = rng.sample(range(len(NOUNS)), 2)
        words = {"a": named(a), "b": named(b), "on": f"on a {background} background"}
        found.append((Asked("", background, (a, b)), words))
    return found


def named(noun: int) -> str:
    """A thing with its article."""
    name = NOUNS[noun].names[0]
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def draw(pipe, wording: Wording, asked: Sequence[dict[str, str]], **call) -> torch.Tensor:  # type: ignore[no-untyped-def]
    """A picture of each: [n 3 H W] in -1..1."""
    made = []
    for i, words in enumerate(track(asked, str(wording.left or wording.base))):
        if wording.left:
            sides = ((wording.left, "left"), (wording.right, "right"))
            own = [Region(text.format(**words), side) for text, side in sides]
            call |= {"regions": own, "base_share": wording.base_share}
        generator = torch.Generator().manual_seed(SEED + i)
        result = pipe(wording.base.format(**words), generator=generator, output_type="pt", **call)
        made.append(result.images.float().cpu() * 2 - 1)
    return torch.cat(made)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the same pairs in every wording."""
    parser = arguments(__doc__)
    parser.add_argument("--rows", default="", help="only these rows, such as 1,3; counted from 0")
    parser.set_defaults(n=200, guidance=3.0)
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore", ClipcondWarning)
    pipe = build_pipeline(options.model and str(options.model), clip_skip=2)
    pipe.set_progress_bar_config(disable=True)
    judge, results, sheets = load_judge(options.runs), [], []
    asked, words = zip(*pairs(options.n), strict=True)
    call = {"num_inference_steps": options.steps, "guidance_scale": options.guidance}
    rows = [int(row) for row in options.rows.split(",") if row] or range(len(WORDINGS))
    for wording in (WORDINGS[row] for row in rows):
        images = draw(pipe, wording, words, **call)
        seen = judge_images(images, list(asked), judge)
        seen["drawn so"] = seen["both objects"] * seen["left/right"]
        row = {name: round(float(value), 4) for name, value in seen.items()}
        said = {"base": wording.base, "left": wording.left, "share": wording.base_share}
        results.append(said | {"n": options.n} | row)
        print(results[-1], flush=True)
        sheets.append(images[:SHOWN_A_ROW])
    folder = options.runs / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    grid(torch.cat(sheets), min(SHOWN_A_ROW, options.n)).save(folder / "regions.png")
    show(results, ("base", "left", "share", "n", "colour", "each object", "drawn so"))
    print(json.dumps(call | {"tests": results}, indent=1))


if __name__ == "__main__":
    main()
