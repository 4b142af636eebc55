"""Train the judge: a small convolutional classifier of the nouns, used for measuring alone.

It sees clean renderings, never a generated picture, and shares nothing with the model it judges.
"""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from captions import Mix, sample
from safetensors.torch import load_model, save_model
from torch import nn
from torch.nn import functional as F
from training import Losses, arguments, plan, train
from world import COLOURS, NOUNS, SIZE, render

VIEW = SIZE // 2  # pixels a side of what the judge looks at
BORDER = 2  # pixels


class Judge(nn.Module):
    """Views [b 3 VIEW VIEW] in -1..1 -> logits over the nouns [b n]."""

    def __init__(self) -> None:
        super().__init__()
        widths, layers = (3, 32, 64, 128, 192), []
        for i, (before, after) in enumerate(pairwise(widths)):
            layers.append(nn.Conv2d(before, after, 3, stride=1 if i == 0 else 2, padding=1))
            layers += [nn.GroupNorm(8, after), nn.SiLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1] * (VIEW // 8) ** 2, len(NOUNS))

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(views).flatten(1))


def views_of(images: torch.Tensor, n_things: int) -> torch.Tensor:
    """What the judge looks at: one thing halved in size, or the middle of each half of a pair.

    images [b 3 SIZE SIZE] -> [b n_things 3 VIEW VIEW], left first. Raises ValueError for others:
    the middles of larger ones would be other places.
    """
    if images.shape[-2:] != (SIZE, SIZE):
        raise ValueError(f"this judge reads {SIZE} x {SIZE} pixels, not {tuple(images.shape[-2:])}")
    if n_things == 1:
        return F.avg_pool2d(images, 2)[:, None]
    middle = images[:, :, VIEW // 2 : VIEW // 2 + VIEW]
    return torch.stack([middle[..., :VIEW], middle[..., VIEW:]], dim=1)


def border_colour(image: torch.Tensor) -> str:
    """The nearest of the 8 colours to the median of the border pixels; image [3 H W] in -1..1."""
    edges = [image[:, :BORDER], image[:, -BORDER:]]
    sides = [image[:, :, :BORDER], image[:, :, -BORDER:]]
    pixels = torch.cat([x.flatten(1) for x in edges + sides], dim=1)
    median = (pixels.median(dim=1).values + 1) * 127.5

    def distance(name: str) -> float:
        return (median - torch.tensor(COLOURS[name])).square().sum().item()

    return min(COLOURS, key=distance)


def labelled(rng: random.Random, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`n` views of fresh renderings and the noun each shows."""
    views, labels = [], []
    mix = Mix(empty=0.0, sized=0.4, weighted=0.3)
    while len(views) < n:
        scene = sample(rng, mix).scene
        image = torch.from_numpy(render(scene, rng)).permute(2, 0, 1)[None].float() / 127.5 - 1
        views += views_of(image, len(scene.things))[0]
        labels += [thing.noun for thing in scene.things]
    return torch.stack(views[:n]), torch.tensor(labels[:n])


class Classify(nn.Module):
    """Views and labels -> the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = Judge()

    def forward(self, views: torch.Tensor, labels: torch.Tensor) -> Losses:
        return {"loss": F.cross_entropy(self.judge(views), labels, label_smoothing=0.05)}


def load_judge(folder: Path) -> Judge:
    """The trained judge of a run."""
    judge = Judge()
    load_model(judge, folder / "judge" / "judge.safetensors")
    return judge.eval()


def main() -> None:
    """Run the stage and save the judge."""
    options = arguments(__doc__ or "", steps=1500, batch=96, lr=1e-3).parse_args()
    the_plan = plan("judge", options, ema=0.99)
    torch.manual_seed(the_plan.seed)

    def loss_of(model: nn.Module, rng: random.Random, step: int) -> Losses:
        device = next(model.parameters()).device
        return model(*(x.to(device) for x in labelled(rng, the_plan.batch)))

    @torch.no_grad()
    def save(model: nn.Module, step: int) -> None:
        views, labels = labelled(random.Random("judge validation"), 2000)
        guess = model.judge.eval()(views.to(next(model.parameters()).device)).argmax(1).cpu()
        print(f"judge: {np.mean((guess == labels).numpy()):.4f} of 2000 fresh renderings right")
        save_model(model.judge, the_plan.folder / "judge.safetensors")

    train(the_plan, Classify(), loss_of, save)


if __name__ == "__main__":
    main()
