"""Text towers: token ids to hidden states."""

from clipcond.towers.alt_clip import AltClipTower
from clipcond.towers.base import HiddenLayer, TextTower, TowerOutput
from clipcond.towers.chinese_clip import ChineseClipTower
from clipcond.towers.eva_clip import EvaClipTower
from clipcond.towers.modules import first_eos
from clipcond.towers.open_clip import OpenClipTower
from clipcond.towers.openai_clip import OpenAIClipTower

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
