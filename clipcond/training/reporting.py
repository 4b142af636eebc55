"""Report what a run does: messages on standard error, and losses to tensorboard if wanted."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

from clipcond.errors import TrainingError
from clipcond.files import disk_errors
from clipcond.training.pairs import Pairs
from clipcond.training.settings import LoopSettings


def is_main_process() -> bool:
    """Whether this process reports to the user, known also before there is an Accelerator."""
    return int(os.environ.get("RANK", "0")) == 0


def report(text: str, settings: LoopSettings) -> None:
    """Print a message on standard error, from the main process only."""
    if not settings.quiet and is_main_process():
        print(text, file=sys.stderr, flush=True)


def report_skipped(pairs: Pairs, settings: LoopSettings) -> None:
    """Report pairs that cannot be used, if there are any."""
    if pairs.bad:
        message = f"{len(pairs.bad)} of {pairs.n_lines} pairs are skipped:"
        report(f"{message}\n{pairs.describe_bad()}", settings)


def check_tensorboard(settings: LoopSettings) -> None:
    """Refuse logs that cannot be written, before hours of training.

    Raises:
        TrainingError: tensorboard is not installed, or its folder cannot be made.
    """
    folder = settings.tensorboard
    if folder is None or not is_main_process():
        return
    _writer_class()
    with disk_errors(f"logs cannot be written to {str(folder)!r}", TrainingError):
        Path(folder).mkdir(parents=True, exist_ok=True)


def open_tensorboard(settings: LoopSettings) -> AbstractContextManager[Any]:
    """Open a SummaryWriter for a `with` block; None where no logs are wanted of this process."""
    if settings.tensorboard is None or not is_main_process():
        return nullcontext()
    return closing(_writer_class()(str(settings.tensorboard)))


def _writer_class() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError(
            "logs for tensorboard are asked for, and it is not installed",
            "Install it with: pip install tensorboard, or leave out tensorboard=.",
        ) from error
    return SummaryWriter
