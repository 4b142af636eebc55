"""Pictures of pairs as latents, kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clipcond.training.pairs import BadPair, Pair
from clipcond.training.run_folder import Kept

__all__ = ["Latents", "latents_of", "unreadable"]

N_AT_ONCE = 8


class Latents(Mapping[int, Tensor]):
    """Pair -> its picture's latents [C H W], float16, read from disk."""

    def __init__(self, array: np.ndarray, rows: Mapping[int, int]) -> None:
        self._array, self._rows = array, dict(rows)

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
    kept = Kept(folder, "latents", len(with_picture), {**keys, "side": side})
    if writes and not kept.is_whole:
        with kept.written() as add:
            for start in range(0, len(with_picture), N_AT_ONCE):
                some = with_picture[start : start + N_AT_ONCE]
                pixels = torch.stack([pixels_of(pairs[i].image, side) for i in some])
                add("", _encoded(vae, pixels))
                advance(len(some))
    return Latents(kept.read(), {pair: row for row, pair in enumerate(with_picture)})


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
