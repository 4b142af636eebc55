"""Define the weighted token that splitters and chunks are made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Token:
    """One id, its weight, and where it comes from.

    `segment` indexes the parts of the parsed prompt; `source[start:stop]` is that segment's place.
    """

    id: int
    weight: float
    segment: int
    start: int
    stop: int
