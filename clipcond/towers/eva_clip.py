"""EVA-CLIP's text tower: a plain CLIP text transformer of open_clip's or the official classes."""

from __future__ import annotations

from clipcond.towers.open_clip_text import Anatomy, LiveTower, Resblocks, text_module

__all__ = ["EvaClipTower"]


class EvaClipTower(LiveTower):
    """An EVA-CLIP model, of open_clip's classes or of the official package's, or its `.text`."""

    def _anatomy(self) -> Anatomy:
        return Resblocks(text_module(self.model))
