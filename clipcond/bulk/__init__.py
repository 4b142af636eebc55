"""Captions by the million: encode them into a folder, and train from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.bulk.embeddings import Embeddings, EmbeddingStream, open
    from clipcond.bulk.encoder import CaptionEncoder
    from clipcond.bulk.job import Summary, encode_captions
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "embeddings": ("Embeddings", "EmbeddingStream", "open"),
            "encoder": ("CaptionEncoder",),
            "job": ("Summary", "encode_captions"),
        },
    )

__all__ = [
    "CaptionEncoder",
    "EmbeddingStream",
    "Embeddings",
    "Summary",
    "encode_captions",
    "open",
]
