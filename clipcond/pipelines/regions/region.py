"""Regions of a picture as a user asks for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from clipcond.arguments import wrong_argument
from clipcond.errors import ArgumentError, PromptTypeError, UnknownNameError, excerpt
from clipcond.pipelines.regions.masks import read_mask
from clipcond.prompt.places import Box, box_fault, known_places, place_named
from clipcond.prompt.region_texts import read_region

MOST = 32  # regions; each is a further cross-attention in all layers
USUAL_SHARE = 0.2  # of the base prompt, as users of A1111's regional prompter know it


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a picture with a prompt of its own: in a box, or where a mask is white.

    Args:
        prompt: what is to be seen there, in the pipeline's dialect: weights, BREAK and editing over
            the steps work, AND does not.
        box: (left, top, right, bottom), in fractions of the picture's width and height, or, where
            one of them is above 1, in whole pixels; or the name of a place, such as "left", "top
            right" or "centre".
        mask: in place of a box: a picture of Pillow, the file of one, an array or a tensor, white
            or 1 inside and black or 0 outside; what is between is soft. A mask of another size than
            the picture is stretched to it.
        negative: its negative prompt; None = the call's.
        weight: how much it counts where regions overlap, and against the base prompt.
    Raises:
        ArgumentError: a box that is empty or outside the picture, a mask that is empty or no mask,
            both or none of the two, or a weight that is no positive number.
        UnknownNameError: there is no place of that name.
    """

    prompt: str
    box: Box | None
    mask: Tensor | None
    negative: str | None
    weight: float

    def __init__(
        self,
        prompt: str,
        box: Sequence[float] | str | None = None,
        *,
        mask: object = None,
        negative: str | None = None,
        weight: float = 1.0,
    ) -> None:
        for name, text in (("prompt", prompt), ("negative", negative)):
            if not isinstance(text, str) and (text is not None or name == "prompt"):
                raise PromptTypeError(f"the {name} of a region is a string: {text!r:.60}")
        if not prompt.strip():
            raise ArgumentError("a region has no prompt", "Say what is to be seen there.")
        if (box is None) == (mask is None):
            found = "neither box nor mask" if box is None else "both a box and a mask"
            raise ArgumentError(
                f"the region {excerpt(prompt)!r} has {found}",
                'Say where it is: Region("a cat", "left"), box=(0, 0, 0.5, 1) or mask=picture.',
            )
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not 0 < weight < math.inf:
            raise ArgumentError(f"the weight of a region is a number above 0, not {weight!r:.60}")
        values: dict[str, Any] = {
            "prompt": prompt,
            "box": None if box is None else _read_box(box),
            "mask": None if mask is None else read_mask(mask),
            "negative": negative,
            "weight": float(weight),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Show a mask by its size."""
        if self.mask is not None:
            where = f"mask={self.mask.shape[1]}x{self.mask.shape[0]}"
        else:
            where = f"box=({', '.join(f'{n:g}' for n in self.box or ())})"
        negative = "" if self.negative is None else f", negative={self.negative!r}"
        weight = "" if self.weight == 1 else f", weight={self.weight:g}"
        return f"Region({self.prompt!r}, {where}{negative}{weight})"


def regional(*texts: str) -> tuple[Region, ...]:
    """Read regions as they are typed: "left: a cat", "0.5,0,1,1: a dog", "mask.png: a fox".

    Behind the place may be a weight, and behind the prompt a negative prompt:
    "left *1.2: a cat Negative prompt: grass". Places are named in English or Chinese, 左: 一只猫.

    Raises:
        PromptSyntaxError: a text that is no region; shows where.
        PictureError: a mask's file cannot be read.
    """
    made = []
    for text in texts:
        if not isinstance(text, str):
            raise PromptTypeError(f"a region is a text, such as 'left: a cat', not {text!r:.60}")
        read = read_region(text)
        made.append(
            Region(
                read.prompt,
                read.box,
                mask=read.mask or None,
                negative=read.negative,
                weight=read.weight,
            )
        )
    return tuple(made)


@dataclass(frozen=True)
class Regional:
    """The regions of a call, and how much its own prompt counts within them."""

    regions: tuple[Region, ...]
    base_share: float | None


def read_regions(regions: object, base_share: object) -> Regional | None:
    """Check the arguments of a call; None if it has no regions.

    Raises:
        ArgumentError: they are no regions, too many, or the share is none.
    """
    if base_share is not None:
        is_number = isinstance(base_share, int | float) and not isinstance(base_share, bool)
        if not is_number or not 0 <= base_share < 1:  # type: ignore[operator]
            raise wrong_argument("base_share", base_share, "a number from 0 to below 1")
    if regions is None or regions == [] or regions == ():
        if base_share is not None:
            raise ArgumentError("base_share goes with regions, and there are none")
        return None
    given = [regions] if isinstance(regions, Region | str) else regions
    if not isinstance(given, list | tuple):
        raise wrong_argument("regions", regions, 'a list such as [Region("a cat", "left")]')
    found: list[Region] = []
    for each in given:
        if not isinstance(each, Region | str):
            raise wrong_argument("regions", each, 'a list such as [Region("a cat", "left")]')
        found += [each] if isinstance(each, Region) else regional(each)
    if len(found) > MOST:
        message = f"{len(found)} regions are too many: at most {MOST}"
        raise ArgumentError(message, "Each is a further attention in every layer.")
    return Regional(tuple(found), base_share)  # type: ignore[arg-type]


def _read_box(box: Sequence[float] | str) -> Box:
    if isinstance(box, str):
        named = place_named(box)
        if named is None:
            raise UnknownNameError("place", box, known_places())
        return named
    is_box = isinstance(box, Sequence) and len(box) == 4
    if not is_box or any(isinstance(n, bool) or not hasattr(n, "__float__") for n in box):
        raise ArgumentError(
            f"a box is four numbers, not {box!r:.60}",
            "They are left, top, right and bottom: (0, 0, 0.5, 1).",
        )
    left, top, right, bottom = (float(n) for n in box)
    fault = box_fault((left, top, right, bottom))
    if fault is not None:
        raise ArgumentError(
            f"the box {tuple(box)!r:.60} is none: of its number {box[fault[0]]!r}, {fault[1]}",
            "A box is (left, top, right, bottom), in fractions, (0.5, 0, 1, 1), or in pixels.",
        )
    return left, top, right, bottom
