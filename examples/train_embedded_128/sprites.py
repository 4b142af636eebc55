"""The packed sprites on a device: every noun by every artist, in its own and in other colours."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .colouring import COLOURS, LEAST_SHARE, main_part, recolour
from .nouns import NOUNS
from .pack import HELD_OUT_SETS, SETS

ALL_SETS = (*SETS, *HELD_OUT_SETS)
COLOUR_NAMES = tuple(COLOURS)
AT_ONCE = 128  # sprites


@dataclass(frozen=True, slots=True)
class Offers:
    """What can be asked for: colours by noun, and which sets have it, by noun and colour.

    Args:
        rows: int32 [nouns 1 + colours sets], the sprite's row; -1 = none. Colour 0 is its own.
    """

    rows: np.ndarray

    def sets(self, noun: int, colour: int = -1) -> list[int]:
        """Training sets that have the noun in a colour (-1 = its own)."""
        return [i for i in range(len(SETS)) if self.rows[noun, colour + 1, i] >= 0]

    def colours(self, noun: int) -> list[int]:
        """Colours that two artists at least can give it."""
        return [c for c in range(len(COLOUR_NAMES)) if len(self.sets(noun, c)) >= 2]


@dataclass(frozen=True, slots=True)
class Sprites:
    """All sprites.

    Args:
        pictures: uint8 [m 4 S S], premultiplied.
        halves: the same at half the size, for things drawn small.
        rows: int64 [nouns 1 + colours sets], as in `Offers`.
    """

    pictures: Tensor
    halves: Tensor
    rows: Tensor

    @property
    def offers(self) -> Offers:
        """What it has, without the pictures: small enough for every process."""
        return Offers(self.rows.cpu().numpy().astype(np.int32))


def read_pack(path: Path) -> dict[tuple[str, str], np.ndarray]:
    """The sprites of a packed file by noun and set: uint8 [S S 4], straight alpha."""
    with np.load(path) as pack:
        names, sets, ends = pack["names"], pack["sets"], pack["ends"]
        pictures = pack["pictures"].tobytes()
    found, start = {}, 0
    for name, which, end in zip(names.tolist(), sets.tolist(), ends.tolist(), strict=True):
        with Image.open(io.BytesIO(pictures[start:end])) as picture:
            found[name, which] = np.asarray(picture.convert("RGBA"))
        start = end
    return found


def load_sprites(path: Path, device: torch.device | str = "cpu") -> Sprites:
    """Read a pack, and draw what people ask for in other colours, where that is truthful."""
    packed = read_pack(path)
    keys = [
        (n, s, packed[noun.names[0], name])
        for n, noun in enumerate(NOUNS)
        for s, name in enumerate(ALL_SETS)
        if (noun.names[0], name) in packed
    ]
    if not keys:
        raise SystemExit(f"{path} holds none of the nouns: make it with train_embedded_128.pack")
    own = torch.from_numpy(np.stack([picture for *_, picture in keys])).to(device)
    own = own.permute(0, 3, 1, 2)
    alpha = own[:, 3:].float() / 255
    own = torch.cat([(own[:, :3] * alpha).round().byte(), own[:, 3:]], 1).contiguous()
    rows = torch.full((len(NOUNS), 1 + len(COLOURS), len(ALL_SETS)), -1)
    for row, (noun, which, _) in enumerate(keys):
        rows[noun, 0, which] = row
    often = torch.tensor([NOUNS[noun].often_coloured for noun, *_ in keys], device=device)
    made, n = [own], len(own)
    for chunk in torch.arange(len(own), device=device)[often].split(AT_ONCE):
        some = own[chunk].float() / 255
        fit = main_part(some)[1] >= LEAST_SHARE
        chunk, some = chunk[fit], some[fit]
        for c, drawn in enumerate(recolour(some, COLOUR_NAMES)):
            made.append((drawn * 255).round().byte())
            for i in chunk.tolist():
                rows[keys[i][0], c + 1, keys[i][1]] = n
                n += 1
    pictures = torch.cat(made)
    halves = [
        torch.nn.functional.avg_pool2d(part.float(), 2).round().byte()
        for part in pictures.split(AT_ONCE)
    ]
    return Sprites(pictures, torch.cat(halves), rows.to(device))
