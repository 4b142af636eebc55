"""Drawing with the embedded model, and what can be seen in its pictures without a model."""

import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

__all__ = ["COLOURS", "background", "draw", "left_area", "similarity"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_embedded" / "similarity.py"
similarity = runpy.run_path(str(EXAMPLE))["similarity"]  # the scripts there are no package

COLOURS = {
    "red": (214, 46, 48),
    "green": (46, 160, 67),
    "blue": (44, 100, 222),
    "yellow": (250, 212, 48),
    "purple": (128, 66, 190),
    "pink": (250, 150, 192),
    "white": (250, 250, 250),
    "black": (24, 24, 24),
}


def draw(
    pipe: Any, prompts: Sequence[str], *, guidance: float = 5.0, steps: int = 10, **options: Any
) -> Any:
    """Pictures [n 3 H W] in -1..1; the i-th has seed i. In 10 steps they show what 20 show."""
    generators = [torch.Generator().manual_seed(i) for i in range(len(prompts))]
    images = pipe(
        list(prompts),
        generator=generators,
        num_inference_steps=steps,
        guidance_scale=guidance,
        output_type="pt",
        **options,
    ).images
    return images * 2 - 1


def background(image: torch.Tensor) -> str:
    """The colour nearest to the median of the border."""
    border = torch.cat([image[:, :2].flatten(1), image[:, :, :2].flatten(1)], dim=1)
    seen = (border.median(dim=1).values.numpy() + 1) * 127.5
    return min(COLOURS, key=lambda name: float(np.square(seen - COLOURS[name]).sum()))


def left_area(images: torch.Tensor) -> float:
    """Pixels of the left half that differ from the corner, on average."""
    half = images[..., : images.shape[-1] // 2]
    away = (half - half[:, :, :1, :1]).abs().amax(dim=1) > 0.35
    return away.float().sum(dim=(1, 2)).mean().item()
