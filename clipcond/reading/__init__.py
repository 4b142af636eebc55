"""The other half of CLIP: compare pictures with texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.reading.batches import BadPicture
    from clipcond.reading.captioning import load_captioner
    from clipcond.reading.classification import ZeroShotClassifier
    from clipcond.reading.encoder import DualEncoder, EncodedPictures
    from clipcond.reading.evaluation import Evaluation, evaluate
    from clipcond.reading.index import ImageIndex, IndexUpdate
    from clipcond.reading.interrogation import Interrogation, interrogate
    from clipcond.reading.matrix import draw_score_matrix
    from clipcond.reading.open_clip import encoder_from_open_clip
    from clipcond.reading.opening import load_encoder
    from clipcond.reading.pictures import pictures_in, read_picture
    from clipcond.reading.preprocessing import Preprocessing
    from clipcond.reading.scoring import PartScore, PromptScore, clip_score, score_parts
    from clipcond.reading.templates import TEMPLATES
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "batches": ("BadPicture",),
            "captioning": ("load_captioner",),
            "classification": ("ZeroShotClassifier",),
            "encoder": ("DualEncoder", "EncodedPictures"),
            "evaluation": ("Evaluation", "evaluate"),
            "index": ("ImageIndex", "IndexUpdate"),
            "interrogation": ("Interrogation", "interrogate"),
            "matrix": ("draw_score_matrix",),
            "open_clip": ("encoder_from_open_clip",),
            "opening": ("load_encoder",),
            "pictures": ("pictures_in", "read_picture"),
            "preprocessing": ("Preprocessing",),
            "scoring": ("PartScore", "PromptScore", "clip_score", "score_parts"),
            "templates": ("TEMPLATES",),
        },
    )

__all__ = [
    "TEMPLATES",
    "BadPicture",
    "DualEncoder",
    "EncodedPictures",
    "Evaluation",
    "ImageIndex",
    "IndexUpdate",
    "Interrogation",
    "PartScore",
    "Preprocessing",
    "PromptScore",
    "ZeroShotClassifier",
    "clip_score",
    "draw_score_matrix",
    "encoder_from_open_clip",
    "evaluate",
    "interrogate",
    "load_captioner",
    "load_encoder",
    "pictures_in",
    "read_picture",
    "score_parts",
]
