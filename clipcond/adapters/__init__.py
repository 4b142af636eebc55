"""Adapters: map the states of another text tower into the space that a UNet reads."""

from clipcond.adapters.base import Adapter, AdapterConfig
from clipcond.adapters.files import build_adapter, load_adapter, save_adapter
from clipcond.adapters.fingerprints import (
    teacher_fingerprint,
    tower_fingerprint,
    unet_family,
    unet_fingerprint,
)
from clipcond.adapters.record import AlignmentRecord

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
