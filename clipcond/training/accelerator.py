"""accelerate's part: the device, the precision, how many processes."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from typing import Any

import torch

from clipcond.errors import PipelineError, TrainingError
from clipcond.training.settings import LoopSettings

__all__ = ["accelerator_for", "dtype_of", "is_main_process", "release"]

# Encoding all pairs and pictures may take the first process hours, for which the others wait.
PATIENCE = timedelta(days=7)

_DTYPES = {"no": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def accelerator_for(settings: LoopSettings) -> Any:
    """An Accelerator as the settings want it; under `accelerate launch`, one of several.

    Raises:
        PipelineError: the device asked for is not there.
        TrainingError: this process already trains in another precision.
    """
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    backend = getattr(torch, settings.device or "", None)
    if settings.device in ("cuda", "mps") and not backend.is_available():  # type: ignore[union-attr]
        raise PipelineError(
            f"This torch sees no {settings.device} device.", "Leave out --device, or say cpu."
        )
    try:
        accelerator = Accelerator(
            mixed_precision=_precision(settings),
            cpu=settings.device == "cpu",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
    except ValueError as error:
        raise TrainingError(f"accelerate cannot be set up: {error}") from error
    return accelerator


def is_main_process() -> bool:
    """Whether this process is the one that tells, also before there is an Accelerator."""
    return int(os.environ.get("RANK", "0")) == 0


def dtype_of(accelerator: Any) -> torch.dtype:
    """In which numbers what is frozen computes."""
    return _DTYPES[accelerator.mixed_precision]


def release() -> None:
    """Forget accelerate's state of this process, so that the next run can choose another."""
    from accelerate.state import AcceleratorState, PartialState

    with suppress(AttributeError):  # it is not public
        if PartialState().num_processes == 1:
            AcceleratorState._reset_state(reset_partial_state=True)


def _precision(settings: LoopSettings) -> str:
    if settings.precision is not None:
        return settings.precision
    if settings.device in ("cpu", "mps") or not torch.cuda.is_available():
        return "no"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
