"""Text towers: token ids to hidden states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.towers.alt_clip import AltClipTower
    from clipcond.towers.base import HiddenLayer, TextTower, TowerOutput, first_eos
    from clipcond.towers.chinese_clip import ChineseClipTower
    from clipcond.towers.eva_clip import EvaClipTower
    from clipcond.towers.open_clip import OpenClipTower
    from clipcond.towers.openai_clip import OpenAIClipTower
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "AltClipTower": "alt_clip",
            "ChineseClipTower": "chinese_clip",
            "EvaClipTower": "eva_clip",
            "HiddenLayer": "base",
            "OpenAIClipTower": "openai_clip",
            "OpenClipTower": "open_clip",
            "TextTower": "base",
            "TowerOutput": "base",
            "first_eos": "base",
        },
    )

__all__ = [
    "AltClipTower",
    "ChineseClipTower",
    "EvaClipTower",
    "HiddenLayer",
    "OpenAIClipTower",
    "OpenClipTower",
    "TextTower",
    "TowerOutput",
    "first_eos",
]
