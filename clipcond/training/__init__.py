"""Train adapters that let a UNet read another text tower, and train text towers themselves."""

from clipcond.training.aligning import align, align_images
from clipcond.training.pair_files import Columns
from clipcond.training.pairs import Pairs, read_captions, read_pairs
from clipcond.training.settings import AlignSettings, LoopSettings
from clipcond.training.tuning import TuneSettings, tune_tower

__all__ = [
    "AlignSettings",
    "Columns",
    "LoopSettings",
    "Pairs",
    "TuneSettings",
    "align",
    "align_images",
    "read_captions",
    "read_pairs",
    "tune_tower",
]
