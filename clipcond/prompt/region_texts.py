"""Read a region of a picture as it is typed: its place, and what is to be seen there.

    left: a cat
    0.5,0,1,1 *1.2: a dog Negative prompt: grass
    mask.png: a (red:1.3) fox

A place is a name, a box, or the file of a mask.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches

import clipcond.lazy_re as re
from clipcond.errors import PromptSyntaxError
from clipcond.prompt.places import Box, box_fault, known_places, place_named

MASK_FILES = ("png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif", "avif")
_NEGATIVE = re.compile(r"(?:^|\s)negative prompt\s*[:：]", re.IGNORECASE)
# The only colon of a file's name is that of a drive, unless there is such a file.
_FILE = re.compile(
    rf"\s*((?:[a-z]:(?=[\\/]))?[^:：]*\.(?:{'|'.join(MASK_FILES)}))\s*(?=[*×:：])", re.IGNORECASE
)
_MASK_END = re.compile(rf"\.(?:{'|'.join(MASK_FILES)})(?=\s*[*×:：])", re.IGNORECASE)
_COLON = re.compile(r"[:：]")
_WEIGHT = re.compile(r"[*×]")
_NUMBER = re.compile(r"[^,，]+|(?<=[,，])(?=[,，]|\Z)")
_FORM = "Write it as 'left: a cat', '0.5,0,1,1: a dog' or 'mask.png: a fox'."


@dataclass(frozen=True, slots=True)
class RegionText:
    """A region as it was typed.

    Attributes:
        box: in fractions or pixels; None if a file has the mask.
        mask: the name of that file, or "".
        negative: None = the common one.
    """

    prompt: str
    box: Box | None
    mask: str
    negative: str | None
    weight: float


def read_region(text: str) -> RegionText:
    """Read a region: PLACE, *WEIGHT if wanted, a colon, the prompt, and its negative if it has one.

    Raises:
        PromptSyntaxError: shows where.
    """
    mask, mask_end = _find_mask(text)
    start = prompt_start(text)
    place, prompt = text[: start - 1], text[start:]
    star = _WEIGHT.search(place, mask_end)
    weight = 1.0 if star is None else _read_weight(text, star.end(), start - 1)
    place = place if star is None else place[: star.start()]
    negative = None
    if marked := _NEGATIVE.search(prompt):
        prompt, negative = prompt[: marked.start()], prompt[marked.end() :].strip()
    if not prompt.strip():
        message = "a region has no prompt behind its colon"
        raise PromptSyntaxError(message, text, start, _FORM)
    box = None if mask else _read_box(text, place)
    return RegionText(prompt.strip(), box, mask, negative, weight)


def prompt_start(text: str) -> int:
    """Find where the prompt of a region begins: behind the colon of its place.

    Raises:
        PromptSyntaxError: there is no colon.
    """
    colon = _COLON.search(text, _find_mask(text)[1])
    if colon is None:
        raise PromptSyntaxError("a region has no colon behind its place", text, 0, _FORM)
    return colon.end()


def _find_mask(text: str) -> tuple[str, int]:
    """Find the file of a mask at the beginning of a text, and where its name ends; "" = none.

    A name with a colon is one if there is such a file.
    """
    start = len(text) - len(text.lstrip())
    for end in _MASK_END.finditer(text):
        if os.path.isfile(text[start : end.end()]):
            return text[start : end.end()], end.end()
    file = _FILE.match(text)
    return (file[1], file.end()) if file else ("", 0)


def _read_weight(text: str, start: int, end: int) -> float:
    try:
        weight = float(text[start:end])
    except ValueError:
        weight = 0.0
    if not 0 < weight < float("inf"):
        message = "the weight of a region is a number above 0"
        raise PromptSyntaxError(message, text, start, "Write it as 'left *1.2: a cat'.")
    return weight


def _read_box(text: str, place: str) -> Box:
    """Read the box of a place at the beginning of a text: a name, or four numbers."""
    at, named = len(place) - len(place.lstrip()), place_named(place)
    if not place.strip():
        raise _unknown_place(text, "", at)
    if named is not None:
        return named
    parts = list(_NUMBER.finditer(place))
    numbers: list[float] = []
    for part in parts:
        try:
            numbers.append(float(part[0]))
        except ValueError:
            if len(parts) == 1:  # no list of numbers
                raise _unknown_place(text, place.strip(), at) from None
            where = part.start() + len(part[0]) - len(part[0].lstrip())
            raise PromptSyntaxError("a number is missing in a box", text, where, _FORM) from None
    if len(numbers) != 4:
        message = f"a box has 4 numbers, left, top, right and bottom, not {len(numbers)}"
        raise PromptSyntaxError(message, text, at, _FORM)
    fault = box_fault(numbers)
    if fault is not None:
        which = parts[fault[0]]
        where = which.start() + len(which[0]) - len(which[0].lstrip())
        remedy = "A box is left,top,right,bottom in fractions such as 0.5,0,1,1, or in pixels."
        raise PromptSyntaxError(f"a box that is none: {fault[1]}", text, where, remedy)
    left, top, right, bottom = numbers
    return left, top, right, bottom


def _unknown_place(text: str, place: str, at: int) -> PromptSyntaxError:
    known = known_places()
    near = get_close_matches(place.casefold(), known, 1)
    guess = f"Did you mean {near[0]!r}? " if near else ""
    message = f"no place is called {place!r}" if place else "a region has no place"
    return PromptSyntaxError(message, text, at, f"{guess}Known: {', '.join(known)}.")
