"""Chinese captions of the same scenes, English words between included.

Sentences and lists of tags, `，` or `、` or ASCII commas, measure words or 个, full-width brackets
or not: as the first edition has them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .captioning import Habits, Language, size_class
from .first_edition import chinese
from .nouns import NOUNS
from .typing_errors import misspelt
from .world import Thing, colour_name

FIRST = chinese.CHINESE.templates
COLOURS = chinese.COLOURS | {
    "orange": "橙色 橘色 橘黄色 橙",
    "brown": "棕色 褐色 咖啡色 棕",
    "gray": "灰色 浅灰色 灰",
}
WORDS = {colour: words.split(" ") for colour, words in COLOURS.items()}
NUMBERS = {2: ("两", "两", "两", "2", "二"), 3: ("三", "三", "3")}
ABOVE = (
    "{a}在{b}的上面，{c}背景|{n}在{m}上面，{c}背景|{b}在{a}的下面，{c}背景|{m}在{n}下方，{c}背景|上面是{a}，下面是{b}，{c}背景"
    "|{c}背景，上面{n}，下面{m}|{c}背景，下面{m}，上面{n}|{a}在{b}上方，背景是{c}|{b}的上面是{a}，{c}背景|{n}在上，{m}在下，{c}背景"
    "|{c}背景上，{a}在{b}顶上|上边是{a}，下边是{b}，背景{c}"
).split("|")
ABOVE_WHITE = ("{a}在{b}上面", "{b}在{a}下面", "上面{n}，下面{m}", "{n}在{m}上方")
HELD_OUT_ABOVE = (
    "一张{a}在{b}上面的图片，{c}背景|背景是{c}的，上面有{a}，下面有{b}|{m}位于{n}的下方，{c}背景"
).split("|")
STYLES = {
    "3d": {
        "prefix": (("", "3D渲染的{a}"), ("", "3d的{a}"), ("一个", "3D模型，{a}")),
        "adjective": ("3D", "3d", "立体的", "3D风格的"),
        "tag": ("3D", "3d", "3D风格", "立体", "3D渲染", "三维", "3d render"),
    },
    "flat": {
        "prefix": (("", "扁平风格的{a}"), ("", "扁平图标，{a}"), ("", "平面的{a}")),
        "adjective": ("扁平", "扁平的", "扁平风格的"),
        "tag": ("扁平", "扁平风格", "扁平图标", "平面设计", "扁平化", "flat design"),
    },
    "emoji": {
        "prefix": (("", "表情符号，{a}"), ("", "emoji，{a}"), ("", "emoji风格的{a}")),
        "adjective": ("emoji", "表情符号", "emoji风格的"),
        "tag": ("emoji", "表情符号", "emoji风格", "表情"),
    },
    "pixel": {
        "prefix": (("", "像素画，{a}"), ("", "像素风格的{a}"), ("", "像素风的{a}")),
        "adjective": ("像素", "像素风", "像素风格的"),
        "tag": ("像素画", "像素风", "像素风格", "像素", "马赛克", "pixel art", "8-bit"),
    },
}
DEGRADED = {
    "blurry": ("模糊", "失焦", "低画质", "不清晰", "blurry", "低质量"),
    "noisy": (
        "噪点",
        "低质量",
        "最差质量",
        "粗糙",
        "低分辨率",
        "丑",
        "水印",
        "畸形",
        "变形",
        "low quality",
    ),
}
KNOWN = {name for noun in NOUNS for name in (*noun.names, *noun.chinese)}
CLAIMS = {-1: chinese.SMALL_WORDS, 1: chinese.LARGE_WORDS}


@dataclass(frozen=True)
class Chinese(Language):
    """Chinese captions.

    Args:
        english: how often (0..1) a noun is written in English, 一只cat, and half as often a colour.
    """

    english: float = 0.06

    def noun(self, thing: Thing, n: int, rng: random.Random, habits: Habits) -> str:
        each = NOUNS[thing.noun]
        if n == 1 and rng.random() < habits.unknown:
            name = rng.choice(self.strange)
        elif rng.random() < self.english:
            name = each.names[0]
            if rng.random() < habits.misspelt:
                name = misspelt(name, rng, held_out=habits.held_out)
        else:
            names = each.chinese
            name = names[0] if len(names) == 1 or rng.random() < 0.7 else rng.choice(names[1:])
        if thing.colour < 0:
            return name
        colour = self.background(colour_name(thing.colour), rng)
        if not colour.endswith("色"):
            return f"{colour}{name}"
        return f"{colour}的{name}" if rng.random() < 0.6 else f"{colour}{name}"

    def phrase(self, thing: Thing, n: int, rng: random.Random, word: str) -> tuple[str, str]:
        if claim := size_class(thing):
            size = rng.choice(CLAIMS[claim])
            if any((size + word).startswith(name) for noun in NOUNS for name in noun.chinese):
                size = f"{size * 2}的"  # 大 + 熊猫 is no large panda
            word = size + word
        measure = NOUNS[thing.noun].measure if rng.random() < chinese.COUNTED else "个"
        if n > 1:
            number = rng.choice(NUMBERS[n])
            return (f"{number}{measure}{word}",) * 2
        return f"{'1' if rng.random() < 0.03 else '一'}{measure}{word}", word

    def background(self, colour: str, rng: random.Random) -> str:
        if rng.random() < self.english / 2:
            return colour
        words = WORDS[colour]
        return words[0] if rng.random() < 0.7 else rng.choice(words[1:])

    def words(self) -> list[str]:
        names = [name for noun in NOUNS for name in (*noun.chinese, noun.measure)]
        numbers = [number for several in NUMBERS.values() for number in several]
        own = [*names, *COLOURS.values(), *numbers, *CLAIMS[-1], *CLAIMS[1], "一个 1 的 。 ， 、"]
        return [*super().words(), *own]

    def singular(self, template: str) -> bool:
        return "一个{n}" in template or "画一个" in template

    def adjective(self, style: str, word: str) -> str:
        return style + word

    def weighted(self, text: str, weight: float, rng: random.Random) -> str:
        return chinese.CHINESE.weighted(text, weight, rng)

    def joined(self, tags: Sequence[str], rng: random.Random) -> str:
        return chinese.CHINESE.joined(tags, rng)

    def finished(self, text: str, rng: random.Random) -> str:
        return chinese.CHINESE.finished(text, rng)

    def length(self, tag: str) -> int:
        return (2 * len(tag.split()) if tag.isascii() else len(tag)) + 1

    def behind_filler(self, text: str, rng: random.Random) -> str:
        """Text in a prompt of two chunks: all of it in the second."""
        return self.joined([*(rng.choice(self.filler) for _ in range(16)), text], rng)


CHINESE = Chinese(
    templates={
        "single": FIRST.single,
        "single white": FIRST.single_white,
        "ordered": FIRST.ordered,
        "placed": FIRST.placed,
        "pair white": FIRST.pair_white,
        "above": ABOVE,
        "above white": ABOVE_WHITE,
        "empty": FIRST.empty,
    },
    held_out={
        "single": FIRST.held_out_single,
        "ordered": FIRST.held_out_ordered,
        "placed": FIRST.held_out_placed,
        "above": HELD_OUT_ABOVE,
        "empty": ("只有{c}背景",),
    },
    styles=STYLES,
    filler=[
        tag
        for tag in chinese.FILLER
        if "扁平" not in tag and "平面" not in tag and "flat" not in tag
    ],
    strange=[w for w in chinese.STRANGE if not any(name in w for name in KNOWN)],
    degraded=DEGRADED,
    emoji_marks=("emoji", "表情符号"),
)
MIXED = replace(CHINESE, english=0.7)
