"""What a pipeline's call says to the encodings in it, where the pipeline does not hand it on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["at_least", "by_default", "default_clip_skip", "least_rows"]

_least_rows: ContextVar[int] = ContextVar("least_rows", default=0)
_clip_skip: ContextVar[int | None] = ContextVar("clip_skip", default=None)


def least_rows() -> int:
    """The number of rows that embeddings have at least."""
    return _least_rows.get()


def default_clip_skip() -> int | None:
    """The clip skip of a call that hands none to the encoding; None = it has none."""
    return _clip_skip.get()


@contextmanager
def at_least(rows: int) -> Iterator[None]:
    """Let encodings in this context have so many rows at least, for a model that joins several."""
    before = _least_rows.set(rows)
    try:
        yield
    finally:
        _least_rows.reset(before)


@contextmanager
def by_default(clip_skip: int | None) -> Iterator[None]:
    """Let encodings in this context that are given no clip skip take this one."""
    before = _clip_skip.set(clip_skip)
    try:
        yield
    finally:
        _clip_skip.reset(before)
