"""Settings of a pipeline's call that reach encode_prompt through context variables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from clipcond.pipelines.regions.region import Regional

# the number of rows that embeddings have at least
LEAST_ROWS: ContextVar[int] = ContextVar("LEAST_ROWS", default=0)
# the clip skip of a call that hands none to the encoding
CLIP_SKIP: ContextVar[int | None] = ContextVar("CLIP_SKIP", default=None)


@contextmanager
def at_least(rows: int) -> Iterator[None]:
    """Let encodings in this context have so many rows at least, for a model that joins several."""
    before = LEAST_ROWS.set(rows)
    try:
        yield
    finally:
        LEAST_ROWS.reset(before)


@contextmanager
def by_default(clip_skip: int | None) -> Iterator[None]:
    """Let encodings in this context that are given no clip skip take this one."""
    before = CLIP_SKIP.set(clip_skip)
    try:
        yield
    finally:
        CLIP_SKIP.reset(before)


# the pipeline of the call that runs, and its regions
REGIONS: ContextVar[tuple[object, Regional | None]] = ContextVar("REGIONS", default=(None, None))


@contextmanager
def drawing_regions(pipe: object, regional: Regional | None) -> Iterator[None]:
    """Let a call of the pipeline in this context draw these regions, and none if None."""
    before = REGIONS.set((pipe, regional))
    try:
        yield
    finally:
        REGIONS.reset(before)


def regions_of(pipe: object) -> Regional | None:
    """Find the regions of the pipeline's call that runs; None = it has none."""
    owner, regional = REGIONS.get()
    return regional if owner is pipe else None
