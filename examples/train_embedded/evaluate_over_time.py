"""Count what pictures of prompts over time and mixtures show, over many seeds. Prints a table.

The background is the nearest colour to the picture's border; the thing is what the embedded CLIP
finds nearer, a cat or a dog.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
import torch
from rich.progress import track
from similarity import similarity
from train_judge import border_colour

from clipcond import build_pipeline

PROMPTS = """
a cat on a [red:blue:0.05] background
a cat on a [red:blue:0.1] background
a cat on a [red:blue:0.2] background
a cat on a [red:blue:0.3] background
a [cat:dog:0.1] on a green background
a [cat:dog:0.5] on a green background
a [cat|dog] on a green background
a cat AND a dog
a cat AND green background :0.7
a cat :0.6 AND green background :0.4
""".strip().splitlines()
THINGS = ("cat", "dog")
STEPS, BATCH = 20, 20


def pictures(pipe: object, prompt: str, n: int) -> torch.Tensor:
    """Draw a prompt with seeds 0 to n - 1: [n 3 H W] in -1..1."""
    found = []
    for start in track(range(0, n, BATCH), prompt):
        seeds = range(start, min(start + BATCH, n))
        call = {"num_inference_steps": STEPS, "output_type": "np"}
        call["generator"] = [torch.Generator().manual_seed(seed) for seed in seeds]
        found.append(pipe([prompt] * len(seeds), **call).images)  # type: ignore[operator]
    return torch.from_numpy(np.concatenate(found)).permute(0, 3, 1, 2) * 2 - 1


def shares(seen: list[str]) -> str:
    """Write the most frequent three with their share in percent."""
    return ", ".join(f"{name} {100 * n // len(seen)}" for name, n in Counter(seen).most_common(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100, help="seeds a prompt")
    n = parser.parse_args().n
    pipe = build_pipeline(clip_skip=2)
    pipe.set_progress_bar_config(disable=True)
    rows = []
    for prompt in PROMPTS:
        images = pictures(pipe, prompt, n)
        things = similarity(images, [f"a {name}" for name in THINGS]).argmax(dim=1)
        backgrounds = [border_colour(image) for image in images]
        rows.append((prompt, shares(backgrounds), shares([THINGS[i] for i in things])))
    print("| prompt | background, % | cat or dog, % |", "|---|---|---|", sep="\n")
    for prompt, *seen in rows:
        escaped = prompt.replace("|", "\\|")
        print(f"| `{escaped}` |", " | ".join(seen), "|")


if __name__ == "__main__":
    main()
