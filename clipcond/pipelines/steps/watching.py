"""Let others see which texts a pipeline's denoiser reads in each of its calls."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from clipcond.pipelines.steps.encoding import EncodedCall
from clipcond.pipelines.steps.passes import Rows
from clipcond.pipelines.steps.texts import CallArguments


@dataclass(frozen=True, slots=True)
class DenoiserCall:
    """One pass of a denoiser.

    Args:
        arguments: what it gets.
        rows: of its batch, what each row of text is; None = a text that is not known.
        part: which part of AND the prompts' rows hold.
        step, n_steps: of the schedule, counted from 0.
    """

    module: nn.Module
    arguments: CallArguments
    rows: Rows
    part: int
    step: int
    n_steps: int


class Watcher(Protocol):
    """What is called while a pipeline draws: in the order of these methods."""

    def begin(self, encoded: EncodedCall) -> None:
        """A call of the pipeline has encoded its prompts."""

    def put_on(self) -> None:
        """The pipeline's denoisers get hooks."""

    def see(self, call: DenoiserCall | None) -> None:
        """A pass begins in this thread, or has ended: None."""

    def take_off(self) -> None:
        """The hooks are taken off."""


WATCHERS: weakref.WeakKeyDictionary[Any, Watcher] = weakref.WeakKeyDictionary()


@contextmanager
def unwatched(pipe: object) -> Iterator[None]:
    """Draw without the pipeline's watcher, if it has one."""
    watcher = WATCHERS.pop(pipe, None)
    try:
        yield
    finally:
        if watcher is not None:
            WATCHERS[pipe] = watcher
