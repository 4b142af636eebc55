"""Work in bulk: encode captions by the million, train from them, and draw pictures of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.bulk.drawer import PictureDrawer
    from clipcond.bulk.embeddings import Embeddings, EmbeddingStream, open
    from clipcond.bulk.encoder import CaptionEncoder
    from clipcond.bulk.job import Summary, encode_captions
    from clipcond.bulk.pictures import PictureSummary, draw_pictures
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "drawer": ("PictureDrawer",),
            "embeddings": ("Embeddings", "EmbeddingStream", "open"),
            "encoder": ("CaptionEncoder",),
            "job": ("Summary", "encode_captions"),
            "pictures": ("PictureSummary", "draw_pictures"),
        },
    )

__all__ = [
    "CaptionEncoder",
    "EmbeddingStream",
    "Embeddings",
    "PictureDrawer",
    "PictureSummary",
    "Summary",
    "draw_pictures",
    "encode_captions",
    "open",
]
