"""Show waiting and warnings on standard error."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from clipcond.errors import ClipcondWarning

__all__ = ["short_warnings", "waiting"]


@contextmanager
def waiting(label: str) -> Iterator[None]:
    """Show a spinner with this label, on a terminal only."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(f"{label} ..."):
        yield


@contextmanager
def short_warnings() -> Iterator[None]:
    """Print clipcond's warnings as one line each, and hide those of other libraries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ClipcondWarning)
        warnings.showwarning = _show_warning
        yield


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    line = getattr(message, "message", None) or str(message).splitlines()[0]
    print(f"clipcond: warning: {line}", file=sys.stderr)
