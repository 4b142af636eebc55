"""Training that lets a UNet read another text tower, and that of towers themselves."""

from clipcond.pipelines.align.pairs import Columns, Pairs, read_pairs
from clipcond.pipelines.align.run import align
from clipcond.pipelines.align.settings import AlignSettings, LoopSettings

__all__ = ["AlignSettings", "Columns", "LoopSettings", "Pairs", "align", "read_pairs"]
