"""Prompts that are pictures."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class EncodesImages(Protocol):
    """Encodes pictures as an image adapter reads them; `clipcond.reading.DualEncoder` does."""

    name: str
    width: int

    def encode_image(self, images: Any) -> Tensor:
        """Encode pictures as vectors of length 1, [n P]."""

    def fingerprint(self) -> str:
        """Hash what the vectors depend on."""
