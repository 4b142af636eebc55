"""The other half of CLIP: compare pictures with texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.reading.batches import BadPicture
    from clipcond.reading.encoder import DualEncoder, EncodedPictures
    from clipcond.reading.opening import load_encoder
    from clipcond.reading.pictures import pictures_in, read_picture
    from clipcond.reading.preprocessing import Preprocessing
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "batches": ("BadPicture",),
            "encoder": ("DualEncoder", "EncodedPictures"),
            "opening": ("load_encoder",),
            "pictures": ("pictures_in", "read_picture"),
            "preprocessing": ("Preprocessing",),
        },
    )

__all__ = [
    "BadPicture",
    "DualEncoder",
    "EncodedPictures",
    "Preprocessing",
    "load_encoder",
    "pictures_in",
    "read_picture",
]
