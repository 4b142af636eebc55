"""Prepare pictures in threads, a batch ahead of the vision tower."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from clipcond.errors import PictureError
from clipcond.reading.pictures import Picture
from clipcond.reading.preprocessing import Preprocessing

MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class BadPicture:
    """A picture that was left out: its place among those that were given, and why."""

    place: int
    error: PictureError


@dataclass(frozen=True, slots=True)
class PictureBatch:
    """Prepared pictures.

    Attributes:
        places: of those in `pixels`, among all that were given.
        pixels: float32 [n 3 H W].
        bad: those of the batch that could not be read.
    """

    places: tuple[int, ...]
    pixels: Tensor
    bad: tuple[BadPicture, ...] = ()


def prepared_batches(
    pictures: Sequence[Picture], prepare: Preprocessing, batch_size: int
) -> Iterator[PictureBatch]:
    """Prepare pictures batch by batch; two batches are in memory at most."""
    starts = range(0, len(pictures), batch_size)
    if not starts:
        return
    n_threads = min(MOST_THREADS, os.cpu_count() or 1, len(pictures))
    with ThreadPoolExecutor(n_threads, thread_name_prefix="pictures") as pool:

        def begin(start: int) -> list[Future[Tensor | PictureError]]:
            own = pictures[start : start + batch_size]
            return [pool.submit(_tried, prepare, picture) for picture in own]

        ahead = begin(0)
        try:
            for start in starts:
                current, ahead = ahead, begin(start + batch_size)
                yield _collected(start, [each.result() for each in current])
        finally:
            for future in ahead:
                future.cancel()


def _tried(prepare: Callable[[Picture], Tensor], picture: Picture) -> Tensor | PictureError:
    try:
        return prepare(picture)
    except PictureError as error:
        return error


def _collected(start: int, results: Sequence[Tensor | PictureError]) -> PictureBatch:
    good = {start + i: each for i, each in enumerate(results) if isinstance(each, Tensor)}
    bad = [BadPicture(start + i, e) for i, e in enumerate(results) if not isinstance(e, Tensor)]
    pixels = torch.stack(list(good.values())) if good else torch.empty(0)
    return PictureBatch(tuple(good), pixels, tuple(bad))
