"""Set up accelerate: the device, the precision, and how many processes there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch

from clipcond.errors import TrainingError
from clipcond.pipelines.devices import check_device
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
    if device is not None:
        check_device(torch.device(device))
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
    """Clear the state that accelerate gets inside, so that the next run can choose a device.

    A state that the caller made before stays, as does that of several processes.
    """
    from accelerate.state import AcceleratorState, PartialState

    def state() -> dict[str, Any]:  # making a PartialState would set one up
        return dict(getattr(PartialState, "_shared_state", {}))

    is_callers = bool(state())
    try:
        yield
    finally:
        if not is_callers and state().get("num_processes") == 1:
            with suppress(AttributeError):  # the method is not public
                AcceleratorState._reset_state(reset_partial_state=True)


def _precision(settings: LoopSettings) -> str:
    if settings.precision is not None:
        return settings.precision
    if settings.device in ("cpu", "mps") or not torch.cuda.is_available():
        return "no"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
