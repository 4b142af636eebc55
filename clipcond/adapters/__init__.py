"""Adapters: another text tower's states into what a UNet was trained to read. Names load on use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipcond.adapters.base import Adapter, AdapterConfig
    from clipcond.adapters.files import load_adapter, save_adapter
    from clipcond.adapters.fingerprints import (
        teacher_fingerprint,
        tower_fingerprint,
        unet_family,
        unet_fingerprint,
    )
    from clipcond.adapters.kinds import build_adapter
    from clipcond.adapters.record import AlignmentRecord

_HOMES = {
    "Adapter": "base",
    "AdapterConfig": "base",
    "AlignmentRecord": "record",
    "build_adapter": "kinds",
    "load_adapter": "files",
    "save_adapter": "files",
    "teacher_fingerprint": "fingerprints",
    "tower_fingerprint": "fingerprints",
    "unet_family": "fingerprints",
    "unet_fingerprint": "fingerprints",
}

__all__ = [
    "Adapter",
    "AdapterConfig",
    "AlignmentRecord",
    "build_adapter",
    "load_adapter",
    "save_adapter",
    "teacher_fingerprint",
    "tower_fingerprint",
    "unet_family",
    "unet_fingerprint",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
