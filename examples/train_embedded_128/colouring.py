"""The colours of backgrounds and things, and sprites in other colours than the artist gave them.

A sprite's main part is what has its prevailing colour: a car's body, not its wheels and lights.
Recolouring keeps the shading of that part and everything else, and is offered only where the part
is large, so that "a blue car" is truly mostly blue.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .first_edition import emoji_world

COLOURS: dict[str, tuple[int, int, int]] = emoji_world.COLOURS | {
    "orange": (244, 124, 28),
    "brown": (128, 78, 42),
    "gray": (136, 138, 144),
}
LEAST_SHARE = 0.55  # of the inked pixels: a smaller main part would not make the thing blue
HUE_WIDTH = 40 / 360  # on either side of the prevailing hue, in turns
COLOURFUL = 0.22  # saturation from which a pixel has a hue
DARK = 0.22  # value below which it is an outline or a tyre
SHADES = (0.35, 1.45)  # how dark and bright shading makes a colour


def hue_saturation_value(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Convert colours [... 3 H W] in 0..1: hue in turns, saturation and value in 0..1."""
    red, green, blue = rgb.unbind(-3)
    value, least = rgb.amax(-3), rgb.amin(-3)
    span = (value - least).clamp(min=1e-6)
    hue = torch.where(
        value == red,
        ((green - blue) / span) % 6,
        torch.where(value == green, (blue - red) / span + 2, (red - green) / span + 4),
    )
    return hue / 6, (value - least) / value.clamp(min=1e-6), value


def straight(sprites: Tensor) -> tuple[Tensor, Tensor]:
    """Colour [n 3 H W] and alpha [n H W] of premultiplied sprites [n 4 H W], all in 0..1."""
    alpha = sprites[:, 3]
    return (sprites[:, :3] / alpha[:, None].clamp(min=1e-4)).clamp(0, 1), alpha


def main_part(sprites: Tensor) -> tuple[Tensor, Tensor]:
    """Find what has the prevailing colour.

    Args:
        sprites: premultiplied [n 4 H W] in 0..1.
    Returns:
        which pixels [n H W] bool, and their share of the inked ones [n].
    """
    rgb, alpha = straight(sprites)
    hue, saturation, value = hue_saturation_value(rgb)
    ink = alpha > 0.5
    lit = ink & (value > DARK)
    colourful = lit & (saturation > COLOURFUL)
    counts = torch.zeros(len(rgb), 36, device=rgb.device)
    bins = ((hue * 36).long() % 36).flatten(1)
    counts.scatter_add_(1, bins, colourful.flatten(1).float())
    peak = (counts + counts.roll(1, 1) + counts.roll(-1, 1)).argmax(1)
    away = (hue - (peak[:, None, None] + 0.5) / 36).abs()
    by_hue = colourful & (torch.minimum(away, 1 - away) < HUE_WIDTH)
    pale = lit & ~colourful
    is_pale = pale.flatten(1).sum(1) > by_hue.flatten(1).sum(1)
    part = torch.where(is_pale[:, None, None], pale, by_hue)
    n_ink = ink.flatten(1).sum(1).clamp(min=1)
    return part, part.flatten(1).sum(1) / n_ink


def recolour(sprites: Tensor, colours: Sequence[str]) -> list[Tensor]:
    """Give the main part of premultiplied sprites [n 4 H W] in 0..1 each colour, shading kept."""
    rgb, alpha = straight(sprites)
    part, _ = main_part(sprites)
    value = rgb.amax(1) * 0.5 + rgb.mean(1) * 0.5
    inside = torch.where(part, value, torch.nan).flatten(1)
    middle = inside.nanmedian(1).values.nan_to_num(1.0).clamp(min=0.05)
    shade = (value / middle[:, None, None]).clamp(*SHADES)[:, None]
    made = []
    for colour in colours:
        wanted = torch.tensor(COLOURS[colour], device=sprites.device).view(1, 3, 1, 1) / 255
        lighter = 1 - (1 - wanted) * (2 - shade).clamp(0, 1)
        new = torch.where(shade < 1, wanted * shade, lighter)
        new = torch.where(part[:, None], new, rgb).clamp(0, 1)
        made.append(torch.cat([new * alpha[:, None], alpha[:, None]], 1))
    return made


def nearest_colour(rgb: Tensor) -> list[str]:
    """Name the nearest of COLOURS to each colour [n 3] in 0..255."""
    table = torch.tensor(list(COLOURS.values()), dtype=torch.float32, device=rgb.device)
    names = list(COLOURS)
    return [names[i] for i in torch.cdist(rgb.float(), table).argmin(1).tolist()]
