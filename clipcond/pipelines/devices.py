"""Find the device and the dtype of a pipeline by their names."""

from __future__ import annotations

from typing import Any

import torch

from clipcond.arguments import wrong_argument
from clipcond.errors import PipelineError, UnknownNameError, warn

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_KINDS = ("cpu", "cuda", "mps")


def find_device(device: torch.device | str | int | None) -> torch.device:
    """Find a device by its name; None = the first of cuda, mps and cpu that torch sees.

    Raises:
        UnknownNameError: there is no such device.
        PipelineError: torch does not see it.
        ArgumentError: no name at all.
    """
    if device is None:
        return torch.device(_seen()[-1])
    if isinstance(device, bool) or not isinstance(device, torch.device | str | int):
        raise wrong_argument("device", device, "a name such as 'cuda', or a torch.device")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        unknown = UnknownNameError("device", device, _KINDS)
        unknown.remedy = _remedy()
        raise unknown from error
    check_device(found)
    return found


def check_device(device: torch.device) -> None:
    """Refuse a device that torch does not see.

    Raises:
        PipelineError: names it, and what torch sees.
    """
    if device.type == "cpu":
        return
    if device.type == "meta":
        raise PipelineError("A meta device holds no numbers, so it draws nothing.", _remedy())
    n_seen = _count(device.type)
    if not n_seen:
        raise PipelineError(f"This torch sees no {device.type} device.", _remedy())
    if device.index is not None and device.index >= n_seen:
        seen = ", ".join(f"{device.type}:{i}" for i in range(n_seen))
        raise PipelineError(f"This torch sees no device {device}, only {seen}.")


def find_dtype(dtype: torch.dtype | str | None, device: torch.device) -> torch.dtype:
    """Find a dtype by its name; None = float16 on CUDA, float32 elsewhere.

    Raises:
        UnknownNameError: there is no such dtype.
        ArgumentError: no name, or a dtype in which no model computes.
    """
    if dtype is None:
        return torch.float16 if device.type == "cuda" else torch.float32
    if isinstance(dtype, str):
        if dtype not in _DTYPES:
            raise UnknownNameError("dtype", dtype, _DTYPES)
        dtype = _DTYPES[dtype]
    if dtype not in (*_DTYPES.values(), torch.float64):
        names = ", ".join(map(repr, _DTYPES))
        raise wrong_argument("dtype", dtype, f"one of {names}, or such a torch.dtype")
    if dtype == torch.float16 and device.type == "cpu":
        message = "float16 on the CPU is slower than float32 and less exact; it saves only memory. "
        warn(f"{message}Leave out dtype=, or take bfloat16.")
    return dtype


def _count(kind: str) -> int:
    """Count the devices of a kind that torch sees."""
    backend: Any = getattr(torch, kind, None)
    if hasattr(backend, "is_available"):
        return int(backend.device_count()) if backend.is_available() else 0
    if kind == "mps":
        return int(torch.backends.mps.is_available())
    try:
        torch.empty(0, device=kind)
    except Exception:  # a backend that is not linked fails in its own way
        return 0
    return 1


def _seen() -> list[str]:
    """List the kinds of devices that torch sees, the best last."""
    return ["cpu", *(kind for kind in ("mps", "cuda") if _count(kind))]


def _remedy() -> str:
    others = "".join(f" or {kind!r}" for kind in reversed(_seen()[1:]))
    named = f"{others.removeprefix(' or ')} or 'cpu'" if others else "'cpu'"
    return f"Leave out device=, or say device={named}."
