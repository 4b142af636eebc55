"""Name the places of a picture, and check boxes in it. Boxes are (left, top, right, bottom)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]

_THIRD = 1 / 3
# In fractions of the picture.
PLACES: dict[str, Box] = {
    "all": (0, 0, 1, 1),
    "left": (0, 0, 0.5, 1),
    "right": (0.5, 0, 1, 1),
    "top": (0, 0, 1, 0.5),
    "bottom": (0, 0.5, 1, 1),
    "centre": (0.25, 0.25, 0.75, 0.75),
    "top left": (0, 0, 0.5, 0.5),
    "top right": (0.5, 0, 1, 0.5),
    "bottom left": (0, 0.5, 0.5, 1),
    "bottom right": (0.5, 0.5, 1, 1),
    "left third": (0, 0, _THIRD, 1),
    "middle third": (_THIRD, 0, 1 - _THIRD, 1),
    "right third": (1 - _THIRD, 0, 1, 1),
}
_CHINESE = {
    "全图": "all",
    "左": "left",
    "右": "right",
    "上": "top",
    "下": "bottom",
    "中": "centre",
    "左上": "top left",
    "右上": "top right",
    "左下": "bottom left",
    "右下": "bottom right",
    "左三分之一": "left third",
    "中三分之一": "middle third",
    "右三分之一": "right third",
}
_ENDINGS = ("半边", "半部", "边", "侧", "半", "方", "角", "部", "间", "央", "心")
_OTHER_WORDS = {"upper": "top", "lower": "bottom", "center": "centre", "middle": "centre"}


def place_named(name: str) -> Box | None:
    """Look up the box of a place: "left", "top-right", 左, 左上角; None = none such."""
    words = name.casefold().replace("-", " ").replace("_", " ").split()
    known = " ".join(words)
    if known not in PLACES:
        known = " ".join(_OTHER_WORDS.get(word, word) for word in words)
    if known not in PLACES:
        ending = next((each for each in _ENDINGS if known.endswith(each)), "")
        known = _CHINESE.get(known, _CHINESE.get(known.removesuffix(ending), ""))
    return PLACES.get(known)


def known_places() -> list[str]:
    """List the names of places: the English ones, then the Chinese ones."""
    return [*PLACES, *_CHINESE]


def box_fault(box: Sequence[float]) -> tuple[int, str] | None:
    """Find what is wrong with a box: which of its numbers, and why; None = nothing.

    Numbers up to 1 are fractions of the picture; if one is above 1, all are whole pixels.
    """
    for i, value in enumerate(box):
        if not math.isfinite(value):
            return i, "it is no finite number"
        if value < 0:
            return i, "it is outside the picture: it is below 0"
    if is_in_pixels(box):
        broken = [i for i, value in enumerate(box) if value != int(value)]
        if broken:
            return broken[0], "pixels are whole numbers, and fractions are at most 1"
    for low, high, what in ((0, 2, "wide"), (1, 3, "high")):
        if box[high] <= box[low]:
            return high, f"the box is not {what}: its end is not behind its start, {box[low]:g}"
    return None


def is_in_pixels(box: Sequence[float]) -> bool:
    """Whether a box is in pixels rather than in fractions."""
    return max(box) > 1
