"""Draw batches of scenes on the device: sprites turned, sized, shaded and set on backgrounds."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .colouring import COLOURS
from .pack import HELD_OUT_SETS, SETS
from .sprites import ALL_SETS, Sprites
from .world import BACKGROUNDS, DEGRADED, PLACES, SIZE, SIZES, STYLES, Scene

MOST = 3  # things of a scene
SHADE = 10  # levels of 255 by which a background's colour varies, each channel
GRADIENT = 0.05  # and how much lighter or darker than its middle its ends are
LIGHT = 0.08  # how much lighter or darker a thing is
POSE = math.radians(11)  # how far a thing is turned, either way
GROWTH = 0.06  # of its size
MOVED = 4.0  # pixels, each axis, of several things; one that is alone moves twice as far
ALONE = 0.3  # of things that are alone, where the renderer is to let them wander, are anywhere
SHRUNK = 0.65  # the least part of its size that such a thing has, if no size was asked for
PIXEL = 4  # pixels of the picture in one of pixel art
STYLE_NAMES = tuple(STYLES)


@dataclass(frozen=True, slots=True)
class Scenes:
    """Scenes as tensors of n rows; things that are not there have noun -1.

    Args:
        background, style (-1 = any), degraded: int64 [n], indices of BACKGROUNDS, STYLES, DEGRADED.
        noun, colour (-1 = its own): int64 [n 3].
        box: float32 [n 3 3], size and centre x, y in pixels.
    """

    background: Tensor
    style: Tensor
    degraded: Tensor
    noun: Tensor
    colour: Tensor
    box: Tensor

    def __getitem__(self, rows: Tensor) -> Scenes:
        return Scenes(*(getattr(self, each.name)[rows] for each in fields(self)))

    def __len__(self) -> int:
        return len(self.background)

    def to(self, device: torch.device | str) -> Scenes:
        """The same on a device."""
        return Scenes(*(getattr(self, each.name).to(device) for each in fields(self)))


def as_tensors(scenes: Sequence[Scene], scale: Sequence[Sequence[float]] | None = None) -> Scenes:
    """Lay scenes out. `scale` multiplies the size of each thing, as a weight asks."""
    n = len(scenes)
    noun = np.full((n, MOST), -1)
    colour, box = noun.copy(), np.zeros((n, MOST, 3), dtype=np.float32)
    for row, scene in enumerate(scenes):
        places = PLACES[scene.arrangement]
        for slot, thing in enumerate(scene.things):
            noun[row, slot], colour[row, slot] = thing.noun, thing.colour
            factor = 1.0 if scale is None else scale[row][slot]
            box[row, slot] = thing.size * factor, *places[slot]
    style = [STYLE_NAMES.index(scene.style) if scene.style else -1 for scene in scenes]
    return Scenes(
        torch.tensor([BACKGROUNDS.index(scene.background) for scene in scenes]),
        torch.tensor(style),
        torch.tensor([DEGRADED.index(scene.degraded) for scene in scenes]),
        torch.from_numpy(noun),
        torch.from_numpy(colour),
        torch.from_numpy(box),
    )


class Renderer:
    """Draws scenes from sprites; the same generator state gives the same pictures.

    Args:
        sets: artists that a scene without a style may have; the training ones by default.
        wander: whether some things that are alone are anywhere in the picture, not in its middle:
            seeds differ more, and the prompt of a region does not ask for the middle.
    """

    def __init__(
        self, sprites: Sprites, sets: Sequence[str] = SETS, *, wander: bool = False
    ) -> None:
        self.sprites, self.wander = sprites, wander
        device = sprites.pictures.device
        table = list(COLOURS.values())
        self.backgrounds = torch.tensor(table, dtype=torch.float32, device=device)
        allowed = [[name in STYLES[s] for name in ALL_SETS] for s in STYLE_NAMES]
        allowed.append([name in sets for name in ALL_SETS])  # row -1: no style
        self.allowed = torch.tensor(allowed, device=device)
        if set(sets) & set(HELD_OUT_SETS):
            self.allowed[:] = self.allowed[-1]

    @property
    def device(self) -> torch.device:
        """Where it draws."""
        return self.sprites.pictures.device

    def choose_sets(self, scenes: Scenes, generator: torch.Generator) -> Tensor:
        """Draw an artist for each scene who has all of its things: int64 [n]."""
        rows = self._rows(scenes)
        has = ((rows >= 0) | (scenes.noun < 0)[..., None]).all(1) & self.allowed[scenes.style]
        odds = has.float() + 1e-9  # a scene that nobody has is drawn with things left out
        return torch.multinomial(odds, 1, generator=generator)[:, 0]

    def _rows(self, scenes: Scenes) -> Tensor:
        return self.sprites.rows[scenes.noun.clamp(min=0), scenes.colour + 1]

    @torch.no_grad()
    def draw(
        self, scenes: Scenes, generator: torch.Generator, sets: Tensor | None = None
    ) -> Tensor:
        """Draw scenes on the renderer's device: float32 [n 3 SIZE SIZE] in -1..1.

        Args:
            sets: the artist of each; drawn by default.
        """
        if sets is None:
            sets = self.choose_sets(scenes, generator)
        n = len(scenes)
        picture = self._background(scenes, generator)
        rows = self._rows(scenes).gather(2, sets[:, None, None].expand(n, MOST, 1))[..., 0]
        noise = torch.rand(n, MOST, 5, generator=generator, device=self.device) * 2 - 1
        alone = (scenes.noun >= 0).sum(1) == 1
        light = 1 + LIGHT * noise[:, 0, 4]
        boxes = self._wandered(scenes.box, alone, generator) if self.wander else scenes.box
        for slot in range(MOST):
            there = ((scenes.noun[:, slot] >= 0) & (rows[:, slot] >= 0)).nonzero()[:, 0]
            if len(there):
                box, move = boxes[there, slot], noise[there, slot]
                reach = MOVED * (1 + alone[there].float())
                layer = self._layer(rows[there, slot], box, move, reach)
                colour = (layer[:, :3] * light[there].view(-1, 1, 1, 1)).clamp(max=1)
                picture[there] = picture[there] * (1 - layer[:, 3:]) + colour
        picture = self._styled(picture, scenes, generator)
        return picture.clamp(0, 1) * 2 - 1

    def _wandered(self, boxes: Tensor, alone: Tensor, generator: torch.Generator) -> Tensor:
        """Boxes [n 3 3] of which some that are alone have another place, and perhaps size."""
        chance = torch.rand(len(boxes), 4, generator=generator, device=self.device)
        size = boxes[:, 0, 0]
        usual = size == SIZES[1][1]
        size = torch.where(usual, size * (SHRUNK + (1 - SHRUNK) * chance[:, 0]), size)
        room = (SIZE - size).clamp(min=0)
        places = [size / 2 + room * chance[:, i] + (SIZE - room - size) / 2 for i in (1, 2)]
        made = boxes.clone()
        made[:, 0] = torch.stack([size, *places], dim=1)
        return torch.where((alone & (chance[:, 3] < ALONE)).view(-1, 1, 1), made, boxes)

    def _background(self, scenes: Scenes, generator: torch.Generator) -> Tensor:
        n = len(scenes)
        noise = torch.rand(n, 5, generator=generator, device=self.device) * 2 - 1
        colour = (self.backgrounds[scenes.background] + SHADE * noise[:, :3]) / 255
        ramp = torch.linspace(-1, 1, SIZE, device=self.device)
        across = noise[:, 3, None, None] * ramp + noise[:, 4, None, None] * ramp[:, None]
        return (colour[:, :, None, None] + GRADIENT * across[:, None] / 2).clamp(0, 1)

    def _layer(self, rows: Tensor, box: Tensor, noise: Tensor, reach: Tensor) -> Tensor:
        """Sprites in their places: premultiplied [k 4 SIZE SIZE]."""
        size = (box[:, 0] * (1 + GROWTH * noise[:, 0])).clamp(min=4)
        x = (box[:, 1] + reach * noise[:, 1]) / SIZE * 2 - 1
        y = (box[:, 2] + reach * noise[:, 2]) / SIZE * 2 - 1
        turn, zoom = POSE * noise[:, 3], SIZE / size
        cos, sin = turn.cos() * zoom, turn.sin() * zoom
        theta = torch.stack(
            [cos, sin, -(cos * x + sin * y), -sin, cos, -(-sin * x + cos * y)], dim=1
        ).view(-1, 2, 3)
        small = size < self.sprites.halves.shape[-1] * 1.1
        layer = torch.zeros(len(rows), 4, SIZE, SIZE, device=self.device)
        for which, table in ((small, self.sprites.halves), (~small, self.sprites.pictures)):
            where = which.nonzero()[:, 0]
            if len(where):
                shape = [len(where), 4, SIZE, SIZE]
                grid = F.affine_grid(theta[where], shape, align_corners=False)
                sprites = table[rows[where]].float() / 255
                layer[where] = F.grid_sample(sprites, grid, align_corners=False)
        return layer

    def _styled(self, picture: Tensor, scenes: Scenes, generator: torch.Generator) -> Tensor:
        pixel = (scenes.style == STYLE_NAMES.index("pixel")).nonzero()[:, 0]
        if len(pixel):
            few = F.avg_pool2d(picture[pixel], PIXEL)
            picture[pixel] = F.interpolate(few, scale_factor=PIXEL, mode="nearest")
        blurry = (scenes.degraded == DEGRADED.index("blurry")).nonzero()[:, 0]
        if len(blurry):
            few = F.avg_pool2d(picture[blurry], 8)
            picture[blurry] = F.interpolate(few, scale_factor=8, mode="bilinear")
        noisy = (scenes.degraded == DEGRADED.index("noisy")).nonzero()[:, 0]
        if len(noisy):
            few = F.avg_pool2d(picture[noisy], 2)
            grain = torch.randn(few.shape, generator=generator, device=self.device)
            picture[noisy] = F.interpolate(few + 0.09 * grain, scale_factor=2, mode="nearest")
        return picture


def seeded(device: torch.device | str, *parts: object) -> torch.Generator:
    """A generator on a device whose state depends on the parts alone."""
    first, second = (zlib.crc32(f"{salt}/{parts}".encode()) for salt in "ab")
    return torch.Generator(device).manual_seed((first << 31) ^ second)
