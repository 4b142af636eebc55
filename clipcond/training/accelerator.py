"""Set up accelerate: the device, the precision, and how many processes there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import torch

from clipcond.errors import PipelineError, TrainingError
from clipcond.training.settings import LoopSettings

if TYPE_CHECKING:
    from accelerate import Accelerator

# The other processes wait while the first encodes all pairs and pictures, which may take hours.
PATIENCE = timedelta(days=7)

# mixed precision -> the dtype in which frozen modules compute
FROZEN_DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def open_accelerator(settings: LoopSettings) -> Accelerator:
    """Make the Accelerator that the settings ask for.

    Raises:
        PipelineError: torch cannot use the device.
        TrainingError: this process already trains in another precision.
    """
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    device = settings.device
    if device in ("cuda", "mps") and not getattr(torch, device).is_available():
        raise PipelineError(
            f"This torch sees no {device} device.", "Leave out device=, or say device='cpu'."
        )
    try:
        return Accelerator(
            mixed_precision=_precision(settings),
            cpu=device == "cpu",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
    except ValueError as error:
        raise TrainingError(f"accelerate cannot be set up: {error}") from error


@contextmanager
def own_accelerate() -> Iterator[None]:
    """Clear accelerate's state in the end, so that the process's next run can choose a device."""
    from accelerate.state import AcceleratorState, PartialState

    try:
        yield
    finally:
        with suppress(AttributeError):  # the method is not public
            if PartialState().num_processes == 1:
                AcceleratorState._reset_state(reset_partial_state=True)


def _precision(settings: LoopSettings) -> str:
    if settings.precision is not None:
        return settings.precision
    if settings.device in ("cpu", "mps") or not torch.cuda.is_available():
        return "no"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
