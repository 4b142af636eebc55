"""What a run tells while it works: a bar with losses, or lines in a log; tensorboard if wanted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any

from torch import Tensor

from clipcond.errors import TrainingError
from clipcond.training.accelerator import is_main_process
from clipcond.training.settings import LoopSettings

__all__ = ["Telling", "check_board", "counting", "say", "scalars"]

N_LINES = 20  # in a log, over a stage


def scalars(losses: Mapping[str, Tensor]) -> dict[str, float]:
    """Losses as numbers."""
    return {name: float(value.detach()) for name, value in losses.items()}


def say(text: str, settings: LoopSettings) -> None:
    """One line on standard error, of the main process."""
    if not settings.quiet and is_main_process():
        print(text, file=sys.stderr, flush=True)


class Telling:
    """Progress of one stage; to be entered."""

    def __init__(
        self, name: str, total: int, done: int, settings: LoopSettings, is_main: bool
    ) -> None:
        from rich.console import Console

        self._name, self._total, self._done = name, total, done
        self._is_silent = settings.quiet or not is_main
        console = Console(stderr=True)
        self._bar = _bar(console) if console.is_terminal and not self._is_silent else None
        self._board = _writer()(settings.tensorboard) if settings.tensorboard and is_main else None
        self._start, self._began = done, monotonic()
        self._task: Any = None

    def __enter__(self) -> Telling:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(
                self._name, total=self._total, completed=self._done, losses=""
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._board is not None:
            self._board.close()

    def step(self, done: int, told: Mapping[str, float], losses: Mapping[str, float]) -> None:
        """One step more; `told` are the smoothed losses, `losses` those of this step."""
        text = " ".join(f"{name} {value:.4f}" for name, value in told.items())
        if self._board is not None:
            for name, value in losses.items():
                self._board.add_scalar(f"{self._name}/{name}", value, done)
        if self._bar is not None:
            self._bar.update(self._task, completed=done, losses=text)
        elif not self._is_silent and done * N_LINES // self._total > (done - 1) * N_LINES // (
            self._total
        ):
            left = (monotonic() - self._began) / (done - self._start) * (self._total - done)
            line = f"{self._name} {done} of {self._total}, {left:.0f} s left"
            line += f", {text}" if text else ""
            print(line, file=sys.stderr, flush=True)


@contextmanager
def counting(what: str, total: int, settings: LoopSettings, is_main: bool) -> Iterator[Any]:
    """A bar for work that has no losses; yields a function that counts some more as done."""
    own = replace(settings, tensorboard=None, quiet=settings.quiet or not total)
    with Telling(what, max(total, 1), 0, own, is_main) as telling:
        done = 0

        def advance(n: int) -> None:
            nonlocal done
            done += n
            if n:
                telling.step(done, {}, {})

        yield advance


def _bar(console: Any) -> Any:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
        console=console,
        refresh_per_second=2,
    )


def check_board(settings: LoopSettings) -> None:
    """Refuse logs that cannot be written, before the hours that they are to tell of.

    Raises:
        TrainingError: tensorboard is not installed, or its folder cannot be made.
    """
    folder = settings.tensorboard
    if folder is None or not is_main_process():
        return
    _writer()
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"logs cannot be written to {folder!r}: {error.strerror}") from error


def _writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError(
            "logs for tensorboard are asked for, and it is not installed",
            "Install it with: pip install tensorboard, or leave out --tensorboard.",
        ) from error
    return SummaryWriter
