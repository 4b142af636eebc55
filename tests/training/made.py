"""A tiny teacher, a tiny Chinese tower and pairs, for tests of training."""

import copy
from contextlib import AbstractContextManager
from pathlib import Path
from unittest.mock import patch

import torch

from clipcond.towers.chinese_clip import ChineseClipTower, ChineseTextEncoder
from clipcond.training import AlignSettings, LoopSettings
from clipcond.training.teacher import Teacher
from tests.pipelines.models import tiny_sd
from tests.towers.chinese import tokenizer, whole_model

ANIMALS = {"cat": "猫", "dog": "狗", "bird": "鸟", "fish": "鱼", "horse": "马", "cow": "牛"}
COLOURS = {"red": "红色", "blue": "蓝色", "green": "绿色", "white": "白色"}
TINY = {"hidden": 16, "heads": 4, "layers": 1, "text_batch": 8, "unet_batch": 4, "dialect": "a1111"}
QUIET = LoopSettings(device="cpu", quiet=True, save_every=1e9)


# What is measured before the first step takes longer than the steps of most tests; where the
# numbers do not matter, less of it is measured.
def few_measures(times: int = 1) -> AbstractContextManager[object]:
    few = {"N_MEASURED": 32, "N_DRAWN": 8, "QUERY_STEPS": 2, "N_SCALED": 1, "N_COMPARED": 1}
    few = {name: times * n for name, n in few.items()}
    return patch.multiple("clipcond.training.measures", **few)


__all__ = ["QUIET", "few_measures", "lines", "settings", "teacher", "tower_zh", "write"]


def tower_zh() -> ChineseClipTower:
    """The text half of a ChineseCLIP: 32 wide, 4 blocks, chunks of 52.

    Of its own: training casts what it is given, and a shared model would stay cast.
    """
    whole = whole_model()
    half = copy.deepcopy(ChineseTextEncoder(whole.text_model, whole.text_projection))
    return ChineseClipTower(half, tokenizer(), name="zh")


def lines() -> list[str]:
    """24 pairs, tab between the sides."""
    return [
        f"a {colour} {animal}\t一只{zh_colour}的{zh_animal}"
        for colour, zh_colour in COLOURS.items()
        for animal, zh_animal in ANIMALS.items()
    ]


def write(folder: Path, content: list[str] | None = None, name: str = "pairs.tsv") -> Path:
    """A file of pairs."""
    path = folder / name
    path.write_text("\n".join(lines() if content is None else content) + "\n", encoding="utf-8")
    return path


def teacher() -> Teacher:
    """Of a tiny pipeline of its own, latents 4 x 4."""
    pipe = tiny_sd()
    pipe.unet.register_to_config(sample_size=4)
    return Teacher.from_pipeline(pipe)


def settings(**more) -> AlignSettings:
    return AlignSettings(**{**TINY, **more})


torch.set_num_threads(1)
