"""Show how far some work is: a bar on a terminal, else lines in a log; on standard error."""

from __future__ import annotations

import sys
from contextlib import suppress
from time import monotonic
from typing import Any


class Progress:
    """The progress of one piece of work; to be entered.

    Args:
        label: what is counted, such as "step".
        total: how much there is to do; `done` of it was done before.
        n_lines: how many lines a log gets.
        silent: show nothing at all.
    """

    def __init__(
        self, label: str, total: int, *, done: int = 0, n_lines: int = 4, silent: bool = False
    ) -> None:
        self._label, self._total, self._n_lines = label, max(total, 1), n_lines
        self._done = self._start = done
        self._silent = silent
        self._bar: Any = None
        self._began = monotonic()

    def __enter__(self) -> Progress:
        self._began = monotonic()
        self._bar = None if self._silent else _bar()
        if self._bar is not None:
            self._bar.start()
            self._bar.add_task(self._label, total=self._total, completed=self._done, text="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, n: int = 1, text: str = "") -> None:
        """Count n more as done; `text` is shown behind the count, such as losses."""
        before, self._done = self._done, self._done + n
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done, text=text)
        elif not self._silent and self._is_due(before):
            left = (monotonic() - self._began) / (self._done - self._start)
            left *= max(self._total - self._done, 0)
            line = f"{self._label} {self._done} of {self._total}, {left:.0f} s left"
            with suppress(OSError):  # a full log is no reason to lose the work
                print(f"{line}, {text}" if text else line, file=sys.stderr, flush=True)

    def _is_due(self, before: int) -> bool:
        n_now, n_before = (n * self._n_lines // self._total for n in (self._done, before))
        return n_now > n_before


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        return None
    return Bar(
        TextColumn("{task.description}", markup=False),
        MofNCompleteColumn(),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}", markup=False),
        console=console,
        transient=True,
        refresh_per_second=4,
    )
