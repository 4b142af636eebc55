"""Prepare pictures for a vision tower: resize, cut, scale and normalise, as each family does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from clipcond.checkpoints.places import PREPROCESSOR_FILES
from clipcond.errors import CheckpointError, excerpt
from clipcond.files import read_json
from clipcond.reading.pictures import Picture, read_picture

if TYPE_CHECKING:
    from PIL.Image import Image

BICUBIC = 3  # Pillow's number, as configs write it
# Source: openai/CLIP, clip.py; OpenCLIP, EVA-CLIP, ChineseCLIP and AltCLIP took them over
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)  # SigLIP's mean and deviation
MOST_PIXELS = 2**24  # of a picture that is resized whole; of a longer one only the part that is cut


def floor_offset(length: int, cut: int) -> int:
    """Choose where a cut begins as transformers does."""
    return (length - cut) // 2


def round_offset(length: int, cut: int) -> int:
    """Choose where a cut begins as torchvision does, whose pixel differs at odd margins."""
    return round((length - cut) / 2)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a family prepares a picture.

    Args:
        size: height and width of the pixels that the vision tower reads.
        shortest: the length that the shorter side is resized to before the cut of `size`; None =
            the whole picture is squeezed into `size`.
        mean, std: of each colour, after values were scaled to 0..1.
        resample: Pillow's number of the interpolation; it always smooths when it shrinks.
        scale: what values 0..255 are multiplied with.
        offset: where a cut begins, of a length and a cut length.
    Source: transformers, image_processing_backends.py, PilBackend.
    """

    size: tuple[int, int]
    shortest: int | None = None
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD
    resample: int = BICUBIC
    scale: float = 1 / 255
    offset: Callable[[int, int], int] = field(default=floor_offset)

    def __call__(self, picture: Picture) -> Tensor:
        """Prepare a picture: float32 pixels [3 H W].

        Raises:
            PictureError: it cannot be read.
        """
        image = self.fit(read_picture(picture))
        scaled = (np.asarray(image).astype(np.float64) * self.scale).astype(np.float32)
        normed = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return torch.from_numpy(np.ascontiguousarray(normed.transpose(2, 0, 1)))

    def fit(self, image: Image) -> Image:
        """Resize an RGB picture and cut it to `size`."""
        from PIL import Image as Pillow

        height, width = self.size
        filter_ = Pillow.Resampling(self.resample)
        if self.shortest is None:
            return image.resize((width, height), filter_)
        short, long = sorted(image.size)
        other = int(self.shortest * long / short)
        full = (self.shortest, other) if image.width <= image.height else (other, self.shortest)
        left, top = self.offset(full[0], width), self.offset(full[1], height)
        cut = (left, top, left + width, top + height)
        if full[0] * full[1] <= MOST_PIXELS or left < 0 or top < 0:
            return image.resize(full, filter_).crop(cut)  # what is beyond the picture is black
        across, down = image.width / full[0], image.height / full[1]
        box = (cut[0] * across, cut[1] * down, cut[2] * across, cut[3] * down)
        return image.resize((width, height), filter_, box=box)


def read_preprocessing(folder: Path, kind: str, image_size: int) -> Preprocessing:
    """Read how a folder's model prepares pictures, or take what its family does.

    Args:
        kind: as `VisionHalf.kind`.
        image_size: the side of the pictures that its vision tower reads.
    Raises:
        CheckpointError: the config asks for what is not done here, or for another size.
    """
    path, config = _find_config(folder)
    usual = usual_preprocessing(kind, image_size)
    if config is None:
        return usual
    try:
        made = _from_config(config, usual)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        why = excerpt(str(error), 200)
        message = f"{str(path)!r} says no way to prepare pictures: {why}"
        raise CheckpointError(message, path) from error
    if made.size != (image_size, image_size):
        raise CheckpointError(
            f"{str(path)!r} makes pictures of {made.size[0]} x {made.size[1]} pixels, but the "
            f"vision tower reads {image_size} x {image_size}",
            path,
            "It belongs to another model.",
        )
    return made


def usual_preprocessing(kind: str, image_size: int) -> Preprocessing:
    """Choose what a family does where no config says it."""
    size = (image_size, image_size)
    if kind == "siglip":
        return Preprocessing(size, mean=HALF, std=HALF)
    return Preprocessing(size, image_size)


def _find_config(folder: Path) -> tuple[Path, Mapping[str, Any] | None]:
    for name in PREPROCESSOR_FILES:
        path = folder / name
        if path.is_file():
            config = read_json(path)
            found = config.get("image_processor", config)
            if isinstance(found, dict) and ("image_mean" in found or "size" in found):
                return path, found
    return folder, None


def _from_config(config: Mapping[str, Any], usual: Preprocessing) -> Preprocessing:
    """Read a preprocessor's config.

    Raises:
        ValueError: it has a step that is not done here.
    """
    if config.get("do_pad"):
        raise ValueError("do_pad is not supported")
    for step in ("do_resize", "do_rescale", "do_normalize"):
        if config.get(step) is False:
            raise ValueError(f"{step} is false, but every known model needs it")
    default: dict[str, int] | int = usual.shortest or {
        "height": usual.size[0],
        "width": usual.size[1],
    }
    size = config.get("size") or default
    if isinstance(size, int):
        is_square = bool(config.get("default_to_square", usual.shortest is None))
        size = {"height": size, "width": size} if is_square else {"shortest_edge": size}
    shortest = size.get("shortest_edge")
    whole = None if shortest is not None else (int(size["height"]), int(size["width"]))
    cut = config.get("crop_size", usual.size if usual.shortest else None)
    if config.get("do_center_crop", usual.shortest is not None) and cut is not None:
        cut = (cut, cut) if isinstance(cut, int) else cut
        cut = (cut["height"], cut["width"]) if isinstance(cut, dict) else tuple(cut)
        if whole is not None and whole != cut:
            raise ValueError(f"it squeezes pictures into {whole} and cuts them to {cut}")
        whole = whole or cut
    if whole is None:
        raise ValueError("it resizes without cutting, so that pictures differ in size")
    return Preprocessing(
        size=whole,
        shortest=None if shortest is None else _whole_number(shortest),
        mean=_three(config.get("image_mean", usual.mean)),
        std=_three(config.get("image_std", usual.std)),
        resample=_whole_number(config.get("resample", usual.resample)),
        scale=float(config.get("rescale_factor", usual.scale)),
    )


def _three(values: object) -> tuple[float, ...]:
    if not isinstance(values, list | tuple) or len(values) != 3:
        raise ValueError(f"{excerpt(repr(values))} are not three numbers")
    found = tuple(float(value) for value in values)
    if not all(map(math.isfinite, found)):
        raise ValueError(f"{excerpt(repr(values))} are not three numbers")
    return found


def _whole_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{excerpt(repr(value))} is no whole number")
    return value
