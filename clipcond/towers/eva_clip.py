"""EVA-CLIP's text tower: a plain CLIP text transformer of open_clip's or the official classes."""

from __future__ import annotations

from clipcond.towers.open_clip_model import OpenClipModelTower, ResblocksText, text_module


class EvaClipTower(OpenClipModelTower):
    """A tower around an EVA-CLIP model of open_clip's or the official classes, or its `.text`."""

    def _text(self) -> ResblocksText:
        return ResblocksText(text_module(self.model))
