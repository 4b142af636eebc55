"""Text towers: token ids to hidden states. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipcond.towers.alt_clip import AltClipTower
    from clipcond.towers.base import HiddenLayer, TextTower, TowerOutput, first_eos
    from clipcond.towers.checkpoints import load_tower
    from clipcond.towers.chinese_clip import ChineseClipTower
    from clipcond.towers.eva_clip import EvaClipTower
    from clipcond.towers.open_clip import OpenClipTower
    from clipcond.towers.openai_clip import OpenAIClipTower

_HOMES = {
    "AltClipTower": "alt_clip",
    "EvaClipTower": "eva_clip",
    "HiddenLayer": "base",
    "TextTower": "base",
    "TowerOutput": "base",
    "first_eos": "base",
    "load_tower": "checkpoints",
    "ChineseClipTower": "chinese_clip",
    "OpenAIClipTower": "openai_clip",
    "OpenClipTower": "open_clip",
}

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
    "load_tower",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
