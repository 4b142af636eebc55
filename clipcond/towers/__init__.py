"""Text towers: token ids to hidden states."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.towers.alt_clip import AltClipTower
    from clipcond.towers.chinese_clip import ChineseClipTower
    from clipcond.towers.eva_clip import EvaClipTower
    from clipcond.towers.meta_clip_2 import MetaClip2Tower
    from clipcond.towers.modules import first_eos
    from clipcond.towers.open_clip import OpenClipTower
    from clipcond.towers.openai_clip import OpenAIClipTower
    from clipcond.towers.protocol import HiddenLayer, TextTower, TowerOutput
    from clipcond.towers.siglip import SiglipTower
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "alt_clip": ("AltClipTower",),
            "chinese_clip": ("ChineseClipTower",),
            "eva_clip": ("EvaClipTower",),
            "meta_clip_2": ("MetaClip2Tower",),
            "modules": ("first_eos",),
            "open_clip": ("OpenClipTower",),
            "openai_clip": ("OpenAIClipTower",),
            "protocol": ("HiddenLayer", "TextTower", "TowerOutput"),
            "siglip": ("SiglipTower",),
        },
    )

__all__ = [
    "AltClipTower",
    "ChineseClipTower",
    "EvaClipTower",
    "HiddenLayer",
    "MetaClip2Tower",
    "OpenAIClipTower",
    "OpenClipTower",
    "SiglipTower",
    "TextTower",
    "TowerOutput",
    "first_eos",
]
