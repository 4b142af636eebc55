"""The heat map of a word: numbers, a picture, and an overlay on the picture that was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

# From nothing to the most: dark violet, magenta, orange, pale yellow; also without colour vision
# the lighter is the more.
_COLOURS = ((20, 12, 54), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
_FAINTEST = 0.35  # of the picture's own light is left where the word drew nothing


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """How much of the attention a word got at each place of a picture.

    Args:
        text: the word, or the words.
        values: [height width] in float32, as large as the picture: the share of the attention that
            went to the word's rows, from 0 to 1, averaged over layers, heads and steps.
        n_tokens: how many rows were added up.
    """

    text: str
    values: Tensor
    n_tokens: int

    def __repr__(self) -> str:
        height, width = self.values.shape
        return f"HeatMap({self.text!r}, {width}x{height}, at most {self.values.max():.3g})"

    @property
    def peak(self) -> tuple[int, int]:
        """The place with the highest value: x and y in pixels."""
        y, x = divmod(int(self.values.argmax()), self.values.shape[1])
        return x, y

    def image(self) -> Image:
        """Draw the map by itself: its lowest value dark violet, its highest pale yellow."""
        from PIL import Image as Pillow

        return Pillow.fromarray(self._coloured().byte().numpy())

    def overlay(self, image: Image) -> Image:
        """Draw the map over a picture: where the word drew nothing, the picture is dark.

        Args:
            image: of any size; the map is brought to it.
        """
        from PIL import Image as Pillow

        shown = torch.from_numpy(np.array(image.convert("RGB"))).float()
        height, width = shown.shape[:2]
        heat = _resized(self._relative(), height, width).unsqueeze(-1)
        colours = _resized(self._coloured().movedim(-1, 0), height, width).movedim(0, -1)
        light = _FAINTEST + (1 - _FAINTEST) * heat
        mixed = shown * light * (1 - 0.45 * heat) + colours * 0.45 * heat
        return Pillow.fromarray(mixed.clamp(0, 255).byte().numpy())

    def _relative(self) -> Tensor:
        """Stretch the values from 0 to 1; all 0 where they are all the same."""
        low, high = self.values.aminmax()
        return (self.values - low) / (high - low).clamp(min=torch.finfo(torch.float32).tiny)

    def _coloured(self) -> Tensor:
        return _coloured(self._relative())


def scale_bar(width: int, height: int) -> Image:
    """Draw the colours from the least to the most."""
    from PIL import Image as Pillow

    values = torch.linspace(0, 1, width).expand(height, -1)
    return Pillow.fromarray(_coloured(values).byte().numpy())


def _coloured(relative: Tensor) -> Tensor:
    """Give each value its colour: [height width 3], from 0 to 255."""
    colours = torch.tensor(_COLOURS, dtype=torch.float32)
    place = relative * (len(_COLOURS) - 1)
    below = place.long().clamp(max=len(_COLOURS) - 2)
    between = (place - below).unsqueeze(-1)
    return colours[below] * (1 - between) + colours[below + 1] * between


def _resized(values: Tensor, height: int, width: int) -> Tensor:
    """Bring values [... h w] to another size."""
    if values.shape[-2:] == (height, width):
        return values
    flat = values.reshape(1, -1, *values.shape[-2:])
    made = torch.nn.functional.interpolate(flat, (height, width), mode="bilinear")
    return made.reshape(*values.shape[:-2], height, width)
