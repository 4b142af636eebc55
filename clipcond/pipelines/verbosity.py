"""Keep transformers and diffusers silent while they do what clipcond asked them to."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module

__all__ = ["silent_libraries"]


@contextmanager
def silent_libraries(*, bars: bool = False) -> Iterator[None]:
    """Let transformers and diffusers report only errors inside, and show no progress bars.

    Verbosity, bars and warnings are afterwards as they were before.

    Args:
        bars: leave progress bars on: a download takes minutes, loading does not.
    """
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars

    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        # Libraries announce here what they will change; clipcond has to follow, not its users.
        for category in (FutureWarning, DeprecationWarning):
            warnings.simplefilter("ignore", category)
        warnings.filterwarnings("ignore", module="diffusers|transformers|torch")
        if are_progress_bars_disabled():  # transformers switches the Hub's bars along with its own
            stack.callback(disable_progress_bars)
        # transformers first: importing diffusers logs through it.
        for library in ("transformers", "diffusers"):
            logging = import_module(f"{library}.utils.logging")
            stack.callback(logging.set_verbosity, logging.get_verbosity())
            logging.set_verbosity_error()
            if not bars and logging.is_progress_bar_enabled():
                stack.callback(logging.enable_progress_bar)
                logging.disable_progress_bar()
        yield
