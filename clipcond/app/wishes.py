"""Say what pictures a visitor wants, and refuse what is too much."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from clipcond.app.settings import (
    MAX_GUIDANCE,
    MAX_SEED,
    MOST_CHARACTERS,
    MOST_PICTURES,
    MOST_PIXELS,
    MOST_STEPS,
)
from clipcond.conditioning.dialects import DIALECTS, DialectName
from clipcond.errors import ArgumentError

RANDOM = -1
_Number = TypeVar("_Number")
OWN = ""  # the model's own tower, scheduler, ...


@dataclass(frozen=True, slots=True)
class Reading:
    """How prompts are read.

    Args:
        tower: "" = the model's own.
        clip_skip: None = the model's own.
    """

    dialect: DialectName = "a1111"
    clip_skip: int | None = None
    tower: str = OWN


@dataclass(frozen=True, slots=True)
class Wish:
    """Pictures to draw, with seed, seed + 1, ...; scheduler or spacing "" = the model's own.

    `heat_maps`: whether a sheet of what each word drew is drawn for each. `spacing`: diffusers'
    `timestep_spacing`, where the scheduler's name says none.
    """

    prompt: str
    negative: str
    reading: Reading
    steps: int
    guidance: float
    scheduler: str
    seed: int
    size: tuple[int, int]
    count: int = 1
    heat_maps: bool = False
    spacing: str = OWN


def compared(wish: Wish, dialects: list[str]) -> list[Wish]:
    """List the same wish in several dialects, one picture each."""
    known = [cast(DialectName, name) for name in DIALECTS if name in dialects]
    return [replace(wish, reading=replace(wish.reading, dialect=name), count=1) for name in known]


def chosen_seed(seed: int) -> int:
    """Draw a seed at random for -1, as A1111's page does."""
    return secrets.randbelow(2**32) if seed == RANDOM else seed


def whole(number: _Number) -> _Number | int:
    """Make a whole number of 2.0, as browsers send it; anything else stays what it is."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def check_wish(wish: Wish) -> None:
    """Refuse what a visitor may not ask for; the model refuses more.

    Raises:
        ArgumentError: says which number is out of range.
    """
    if max(len(wish.prompt), len(wish.negative)) > MOST_CHARACTERS:
        raise ArgumentError(f"a prompt has at most {MOST_CHARACTERS:,} characters here")
    width, height = wish.size
    wholes = (("steps", wish.steps), ("count", wish.count), ("seed", wish.seed))
    for name, whole_number in (*wholes, ("width", width), ("height", height)):
        if type(whole_number) is not int:
            raise ArgumentError(f"{name} is a whole number, not {whole_number}")
    ranges = (
        ("steps", wish.steps, 1, MOST_STEPS),
        ("guidance", wish.guidance, 0, MAX_GUIDANCE),
        ("count", wish.count, 1, MOST_PICTURES),
        ("seed", wish.seed, 0, MAX_SEED - wish.count + 1),
    )
    for name, value, least, most in ranges:
        if not isinstance(value, int | float) or not least <= value <= most:
            raise ArgumentError(f"{name} is a number from {least} to {most} here, not {value}")
    if min(width, height) < 1 or width * height > MOST_PIXELS:
        raise ArgumentError(
            f"size={width}x{height}: pictures have at most {MOST_PIXELS:,} pixels here"
        )
