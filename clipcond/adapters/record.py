"""The alignment record: which tower an adapter was trained for, into which UNet, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["VERSION", "AlignmentRecord"]

VERSION = 1  # of an adapter's file; a change that older versions cannot read counts it up


@dataclass(frozen=True, slots=True)
class AlignmentRecord:
    """What an adapter was aligned to. Hashes are those of `fingerprints`.

    Args:
        tower: hash of the tower whose states the adapter reads.
        tower_name: what that tower was called.
        tower_clip_skips: the tower's layers that it was trained on, counted as clip_skip.
        teacher: hash of the UNet's own text tower; of several, theirs joined by "+".
        teacher_clip_skips: the teacher's layers that were matched.
        unet: hash of the UNet's cross-attention keys and values.
        family: "sd1", "sd2", "sdxl", "sdxl-refiner": which text space it is.
        width: D, of the UNet's cross-attention.
        data: what it was trained on, in words.
        n_pairs: how many pairs of captions that were.
        stages: steps of each stage, {"text": 1000, "unet": 500}.
        losses: the values reached, by name.
        minutes: how long it took.
        version: of the file format.
    """

    tower: str
    tower_name: str
    tower_clip_skips: tuple[int, ...]
    teacher: str
    teacher_clip_skips: tuple[int, ...]
    unet: str
    family: str
    width: int
    data: str
    n_pairs: int
    stages: Mapping[str, int]
    losses: Mapping[str, float]
    minutes: float
    version: int = VERSION
