"""Adapters: map the states of another text tower into the space that a UNet reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

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
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
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
        },
    )

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
