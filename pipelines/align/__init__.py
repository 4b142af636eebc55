"""Training that lets a UNet read another text tower, and that of towers themselves."""

from clipcond.pipelines.align.pairs import Pairs, read_pairs
from clipcond.pipelines.align.rows import Columns
from clipcond.pipelines.align.run import align
from clipcond.pipelines.align.settings import AlignSettings, LoopSettings
from clipcond.pipelines.align.tuning import TuneSettings, read_captions, tune_tower

__all__ = [
    "AlignSettings",
    "Columns",
    "LoopSettings",
    "Pairs",
    "TuneSettings",
    "align",
    "read_captions",
    "read_pairs",
    "tune_tower",
]
