"""Read masks, and resample masks and boxes to the size of a layer of attention."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from clipcond.arguments import type_name
from clipcond.errors import ArgumentError, PictureError, first_line
from clipcond.prompt.places import Box

_GIVE = "Give a picture, its file, an array or a tensor [height width], of 0 to 1 or 0 to 255."


def read_mask(mask: object) -> Tensor:
    """Read a mask: [height width], float32 on the CPU, 0 = outside to 1 = inside.

    Args:
        mask: a picture of Pillow or the file of one, of which white is inside, and what is
            transparent outside; an array or a tensor [h w], also [1 h w], [h w 1] or [1 1 h w], of
            booleans, of whole numbers 0 to 255, or of numbers 0 to 1.
    Raises:
        ArgumentError: it is of another kind or shape, has values beyond, NaN, or is zero all over.
        PictureError: the file is no picture.
    """
    if isinstance(mask, str | os.PathLike):
        values = _of_picture(_open(mask))
    elif isinstance(mask, Tensor):
        values = mask.detach().cpu()
    elif isinstance(mask, np.ndarray):
        values = torch.from_numpy(np.ascontiguousarray(mask))
    elif isinstance(mask, Image.Image):
        values = _of_picture(mask)
    else:
        raise ArgumentError(f"a mask is no {type_name(mask).split(' ')[-1]}", _GIVE)
    return _checked(values)


def _checked(values: Tensor) -> Tensor:
    shape = list(values.shape)
    while values.ndim > 2 and 1 in (values.shape[0], values.shape[-1]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim != 2 or 0 in shape:
        raise ArgumentError(f"a mask of the shape {shape} is not [height width]", _GIVE)
    is_whole = not values.is_floating_point() and values.dtype != torch.bool
    found = values.to(torch.float32) / (255 if is_whole and values.max() > 1 else 1)
    if not bool(found.isfinite().all()):
        raise ArgumentError("a mask has NaN or infinite values", _GIVE)
    if found.min() < 0 or found.max() > 1:
        low, high = values.min().item(), values.max().item()
        raise ArgumentError(f"a mask has values from {low:g} to {high:g}", _GIVE)
    if not bool(found.any()):
        raise ArgumentError("a mask is 0 all over: nothing is inside", "White, or 1, is inside.")
    return found


def _open(file: str | os.PathLike[str]) -> Image.Image:
    try:
        with Image.open(file) as picture:
            copied: Image.Image = picture.copy()
            return copied
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        missing = not Path(file).is_file()
        why = "there is no such file" if missing else first_line(error)
        raise PictureError(f"the mask {str(file)!r} cannot be read: {why}", file) from error


def _of_picture(picture: Image.Image) -> Tensor:
    """Take the lightness of a picture, times its opacity."""
    if picture.mode in ("I", "I;16", "F"):
        raise ArgumentError(f"a mask is no picture of the mode {picture.mode}", "Save it as 8 bit.")
    has_alpha = "A" in picture.getbands() or "transparency" in picture.info
    lightness, alpha = np.asarray(picture.convert("L"), np.float32) / 255, None
    if has_alpha:
        alpha = np.asarray(picture.convert("RGBA").getchannel("A"), np.float32) / 255
    return torch.from_numpy(lightness if alpha is None else lightness * alpha)


def resample_mask(mask: Tensor, height: int, width: int) -> Tensor:
    """Average a mask [h w] over each cell of a layer: [height width], float64.

    Cells and pixels are areas of the picture, whose overlaps are the weights: exact for all sizes,
    odd ones and enlargements too.
    """
    rows, columns = _overlaps(mask.shape[0], height), _overlaps(mask.shape[1], width)
    return rows @ mask.to(torch.float64) @ columns.T


def resample_box(box: Box, height: int, width: int) -> Tensor:
    """Compute how much of each cell of a layer is in a box of fractions: [height width]."""
    left, top, right, bottom = box
    return _covered(top, bottom, height)[:, None] * _covered(left, right, width)


def _overlaps(n_from: int, n_to: int) -> Tensor:
    """Compute the share that each of n_from parts has in each of n_to: [n_to n_from], float64."""
    starts, ends = _edges(n_from)
    to_starts, to_ends = _edges(n_to)
    low = torch.maximum(starts, to_starts[:, None])
    high = torch.minimum(ends, to_ends[:, None])
    weights = (high - low).clamp(min=0)
    return weights / weights.sum(dim=1, keepdim=True)


def _covered(start: float, end: float, n: int) -> Tensor:
    starts, ends = _edges(n)
    return ((ends.clamp(max=end) - starts.clamp(min=start)) * n).clamp(0, 1)


def _edges(n: int) -> tuple[Tensor, Tensor]:
    edges = torch.arange(n + 1, dtype=torch.float64) / n
    return edges[:-1], edges[1:]
