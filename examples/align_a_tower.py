"""Align the Chinese tower to the embedded UNet, on a CPU, and draw with it. Saves aligned.png.

A minute's run on 120 pairs: colours come over, things roughly. `clipcond align` does the same, and
examples/train_embedded/pairs_zh.py writes as many pairs as a good adapter needs.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from clipcond import build_pipeline
from clipcond.training import AlignSettings, align

THINGS = {"cat": "猫", "dog": "狗", "fox": "狐狸", "apple": "苹果", "tree": "树", "star": "星星"}
COLOURS = {"red": "红色", "green": "绿色", "blue": "蓝色", "pink": "粉色", "black": "黑色"}
PHRASES = (
    ("{thing}, {colour} background", "{thing}，{colour}背景"),
    ("a {thing} on a {colour} background", "{colour}背景上的{thing}"),
    ("{colour} background, {thing}", "{colour}背景，{thing}"),
    ("a picture of a {thing} on a {colour} background", "一张{thing}的图片，{colour}背景"),
)

with TemporaryDirectory() as folder:
    pairs, adapter = Path(folder, "pairs.jsonl"), Path(folder, "zh.safetensors")
    with pairs.open("w", encoding="utf-8") as file:
        for thing, thing_zh in THINGS.items():
            for colour, colour_zh in COLOURS.items():
                for english, chinese in PHRASES:
                    teacher = english.format(thing=thing, colour=colour)
                    tower = chinese.format(thing=thing_zh, colour=colour_zh)
                    print(json.dumps({"teacher": teacher, "tower": tower}), file=file)
    settings = AlignSettings(
        clip_skips=(2,), text_steps=60, text_batch=12, unet_steps=0, unet_batch=2
    )
    record = align(None, "embedded-zh", pairs, adapter, settings=settings)
    print({name: round(value, 4) for name, value in record.losses.items()})
    pipe = build_pipeline(tower="embedded-zh", adapter=adapter, clip_skip=2)
pipe("蓝色背景上的猫", generator=torch.Generator().manual_seed(0)).images[0].save("aligned.png")
