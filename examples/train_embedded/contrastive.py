"""What the contrastive stages share: pixels, and accuracy by naming (zero-shot)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from world import COLOURS, NOUNS, ONE, Scene, place, render

PAIR_SIZE = 28  # pixels
BATCH = 500  # texts or pictures at once


def pixels(scenes: Sequence[Scene], rng: random.Random) -> Tensor:
    """Scenes drawn: float32 [n 3 SIZE SIZE] in -1..1."""
    images = np.stack([render(scene, rng) for scene in scenes])
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def zero_shot(
    text: Callable[[list[str]], Tensor],
    image: Callable[[Tensor], Tensor],
    named: Callable[[int, str], str],
    placed: Callable[[int, int], str],
    n: int = 600,
) -> dict[str, float]:
    """Accuracy of naming noun and background of fresh single scenes, and of left/right of pairs.

    Args:
        text: prompts -> embeddings [n P].
        image: pixels [n 3 SIZE SIZE] -> embeddings [n P].
        named: the prompt for a noun (its index) on a background.
        placed: the prompt for a noun left of another, on white.
    """
    rng = random.Random("clip validation")

    def seen(scenes: list[Scene]) -> Tensor:
        parts = pixels(scenes, rng).split(BATCH)
        return F.normalize(torch.cat([image(part) for part in parts]), dim=-1)

    def said(prompts: list[str]) -> Tensor:
        parts = [prompts[i : i + BATCH] for i in range(0, len(prompts), BATCH)]
        return F.normalize(torch.cat([text(part) for part in parts]), dim=-1)

    colours = list(COLOURS)
    truth = [(rng.randrange(len(NOUNS)), rng.randrange(len(colours))) for _ in range(n)]
    pictures = seen([place(colours[c], [noun], [ONE], rng) for noun, c in truth])
    grid = said([named(noun, c) for noun in range(len(NOUNS)) for c in colours])
    guess = (pictures @ grid.T).argmax(1).tolist()
    pairs = [rng.sample(range(len(NOUNS)), 2) for _ in range(n)]
    pictures = seen([place("white", pair, [PAIR_SIZE] * 2, rng) for pair in pairs])
    right = (pictures * said([placed(a, b) for a, b in pairs])).sum(1)
    wrong = (pictures * said([placed(b, a) for a, b in pairs])).sum(1)
    return {
        "noun": sum(g // len(colours) == t[0] for g, t in zip(guess, truth, strict=True)) / n,
        "colour": sum(g % len(colours) == t[1] for g, t in zip(guess, truth, strict=True)) / n,
        "left_right": (right > wrong).float().mean().item(),
    }
