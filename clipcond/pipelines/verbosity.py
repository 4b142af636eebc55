"""Keep transformers and diffusers silent while they do what clipcond asked them to."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from types import ModuleType

from clipcond.locks import fork_safe_lock


@contextmanager
def silent_libraries(*, bars: bool = False) -> Iterator[None]:
    """Let transformers and diffusers report only errors inside, and show no progress bars.

    Verbosity, bars and warnings are afterwards as they were before: of several threads the last one
    to leave restores them.

    Args:
        bars: leave progress bars on: a download takes minutes, loading does not.
    """
    with ExitStack() as stack:
        stack.enter_context(_QUIET)
        if not bars:
            stack.enter_context(_WITHOUT_BARS)
        yield


class _Shared:
    """A context of the whole process: the first thread enters it, the last one leaves it."""

    def __init__(self, make: Callable[[], AbstractContextManager[None]]) -> None:
        self._make = make
        self._lock = fork_safe_lock()
        self._n_inside = 0
        self._entered = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._n_inside:
                self._entered.enter_context(self._make())
            self._n_inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside:
                self._entered.close()


@contextmanager
def _quiet() -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        # Libraries announce here what they will change; clipcond has to follow, not its users.
        for category in (FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", module="diffusers|transformers|torch")
        for logging in _loggings():
            stack.callback(logging.set_verbosity, logging.get_verbosity())
            logging.set_verbosity_error()
        yield


@contextmanager
def _without_bars() -> Iterator[None]:
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars

    with ExitStack() as stack:
        if are_progress_bars_disabled():  # transformers switches the Hub's bars along with its own
            stack.callback(disable_progress_bars)
        for logging in _loggings():
            if logging.is_progress_bar_enabled():
                stack.callback(logging.enable_progress_bar)
                logging.disable_progress_bar()
        yield


def _loggings() -> list[ModuleType]:
    # transformers first: importing diffusers logs through it
    return [import_module(f"{library}.utils.logging") for library in ("transformers", "diffusers")]


_QUIET, _WITHOUT_BARS = _Shared(_quiet), _Shared(_without_bars)
