"""What the command line tells on standard error while it works: progress and warnings."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from clipcond.errors import ClipcondWarning

__all__ = ["progress", "short_warnings", "waiting"]


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A spinner, if somebody watches."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(f"{what} ..."):
        yield


@contextmanager
def progress(total: int, label: str = "") -> Iterator[Callable[[], None]]:
    """A bar on a terminal; in a log, a line for each quarter of the way.

    Args:
        total: how many steps there are; the yielded function counts one.
        label: what stands before the count.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(total, label)
        return
    columns = (f"{label}step", MofNCompleteColumn(), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _lines(total: int, label: str) -> Callable[[], None]:
    start, done = monotonic(), 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done == total or done * 4 // total > (done - 1) * 4 // total:
            left = (monotonic() - start) / done * (total - done)
            print(f"{label}step {done} of {total}, {left:.0f} s left", file=sys.stderr, flush=True)

    return advance


@contextmanager
def short_warnings() -> Iterator[None]:
    """Ours as one line each; those of the libraries below are not the user's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ClipcondWarning)
        warnings.showwarning = _show_warning
        yield


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    line = getattr(message, "message", None) or str(message).splitlines()[0]
    print(f"clipcond: warning: {line}", file=sys.stderr)
