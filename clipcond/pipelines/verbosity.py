"""Keep the libraries below from talking while they do what we asked them to."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType

__all__ = ["quiet_libraries"]


@contextmanager
def quiet_libraries(*, bars: bool = False) -> Iterator[None]:
    """Only errors, and no progress bars, from transformers and diffusers inside.

    Verbosity, bars and warnings are as they were afterwards.

    Args:
        bars: leave progress bars on: a download takes minutes, loading does not.
    """
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        # Libraries announce here what they will change; that is ours to follow, not the caller's.
        for category in (FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", module="diffusers|transformers|torch")
        # transformers first: while diffusers is imported, it speaks.
        for library in ("transformers", "diffusers"):
            logging = import_module(f"{library}.utils.logging")
            stack.enter_context(_only_errors(logging))
            if not bars:
                stack.enter_context(_no_bars(logging))
        yield


@contextmanager
def _only_errors(logging: ModuleType) -> Iterator[None]:
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


@contextmanager
def _no_bars(logging: ModuleType) -> Iterator[None]:
    # transformers switches the Hub's bars along with its own
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars

    if not logging.is_progress_bar_enabled():
        yield
        return
    hub_disabled = are_progress_bars_disabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()
        if hub_disabled:
            disable_progress_bars()
