"""Pictures of pairs as latents, kept on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipcond.pipelines.align.pairs import BadPair, Pair

__all__ = ["Latents", "latents_of", "unreadable"]

N_AT_ONCE = 8


class Latents(Mapping[int, Tensor]):
    """Pair -> its picture's latents [C H W], float16, read from disk."""

    def __init__(self, path: Path, rows: Mapping[int, int]) -> None:
        self._array, self._rows = np.load(path, mmap_mode="r"), dict(rows)

    def __getitem__(self, pair: int) -> Tensor:
        return torch.from_numpy(np.array(self._array[self._rows[pair]]))

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def unreadable(pairs: Sequence[Pair]) -> list[BadPair]:
    """Pairs whose picture cannot be opened; each file is read to its end."""
    bad = []
    for pair in pairs:
        if pair.image is None:
            continue
        try:
            _opened(pair.image).load()
        except Exception as error:  # Pillow fails with a dozen kinds
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            bad.append(BadPair(pair.line, f"its picture cannot be read: {reason}"))
    return bad


@torch.no_grad()
def latents_of(
    pairs: Sequence[Pair],
    vae: Any,
    side: tuple[int, int],
    folder: Path,
    keys: Mapping[str, Any],
    advance: Callable[[int], None],
    *,
    writes: bool = True,
) -> Latents | None:
    """Latents of the pairs that have pictures; None if none has.

    Args:
        vae: a diffusers autoencoder, on the device where it is to run.
        side: height and width in pixels; pictures are scaled and cut to that about their middle.
        keys: what they depend on besides; latents that lie in `folder` with the same are taken.
    """
    with_picture = [i for i, pair in enumerate(pairs) if pair.image is not None]
    if not with_picture:
        return None
    path, seal = folder / "latents.npy", folder / "latents.json"
    told = json.dumps({**keys, "n": len(with_picture), "side": side}, sort_keys=True)
    is_ready = seal.is_file() and seal.read_text(encoding="utf-8") == told
    if writes and not is_ready:
        seal.unlink(missing_ok=True)
        array: Any = None
        for start in range(0, len(with_picture), N_AT_ONCE):
            some = with_picture[start : start + N_AT_ONCE]
            pixels = torch.stack([pixels_of(pairs[i].image, side) for i in some])
            found = _encoded(vae, pixels).to("cpu", torch.float16).numpy()
            if array is None:
                shape = (len(with_picture), *found.shape[1:])
                array = np.lib.format.open_memmap(path, "w+", np.float16, shape)
            array[start : start + len(some)] = found
            advance(len(some))
        array.flush()
        part = seal.with_suffix(".part")
        part.write_text(told, encoding="utf-8")
        os.replace(part, seal)
    return Latents(path, {pair: row for row, pair in enumerate(with_picture)})


def pixels_of(path: Path | None, side: tuple[int, int]) -> Tensor:
    """A picture's pixels [3 H W] in -1..1, scaled to cover `side` and cut about its middle."""
    from PIL import Image

    height, width = side
    image = _opened(path).convert("RGB")
    scale = max(height / image.height, width / image.width)
    size = max(width, round(image.width * scale)), max(height, round(image.height * scale))
    image = image.resize(size, Image.Resampling.LANCZOS)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    cut = np.array(image.crop((left, top, left + width, top + height)))
    return torch.from_numpy(cut).permute(2, 0, 1).float() / 127.5 - 1


def _encoded(vae: Any, pixels: Tensor) -> Tensor:
    mean = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mean
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    latents: Tensor = (mean - shift) * vae.config.scaling_factor
    return latents


def _opened(path: Path | None) -> Any:
    from PIL import Image, ImageOps

    return ImageOps.exif_transpose(Image.open(str(path)))
