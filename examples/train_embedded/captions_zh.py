"""What people write for a scene in Chinese, tags and English words between included.

As they really type it: sentences and lists of tags, `，` or `、` or ASCII commas, full-width brackets
or not, `一只cat在蓝色背景上`, `masterpiece, 最高质量, 一只猫`. The scenes, sizes and weights are those of
the English captions; `pairs_zh` says one scene in both languages.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from captions import ENGLISH
from names_zh import MEASURES, NAMES
from phrasing import Language, Templates
from world import NOUNS

SINGLE = (
    "{c}背景上的{a}|{a}，{c}背景|{c}背景，{a}|{n}，{c}背景|{c}背景，{n}|{a}在{c}背景上|{a}在{c}的背景前"
    "|一张{n}的图片，{c}背景|一张图片，{c}背景上有{a}|画一个{n}，背景是{c}|画{a}，{c}背景|{n}的表情符号，{c}背景"
    "|{n}的照片，{c}背景|{n}的图标，{c}背景|{c}的背景，中间是{a}|{c}背景中间有{a}|{c}底色，{a}|{a}，{c}底"
    "|{c}背景下的{n}|{a}站在{c}背景前|背景是{c}的{n}|一幅{n}的画，背景为{c}|{n} {c}背景|{c}背景 {n}|纯{c}背景，{n}"
    "|{n} emoji，{c}背景|我想要{a}，背景要{c}|请画{a}，背景是{c}的|{c}背景的{n}图片|{n}插画，{c}背景|{c}上的{n}"
    "|{c}背景的画面里有{a}|帮我画{a}，{c}的背景"
).split("|")
SINGLE_WHITE = "{a}|{n}|一张{n}的图片|{n}的表情符号|{n}的照片|画{a}|{n} emoji|请画一个{n}".split(
    "|"
)
PAIR_ORDERED = (
    "{c}背景上的{a}和{b}|{a}和{b}，{c}背景|{c}背景，{n}和{m}|{n}和{m}，{c}背景|{n}，{m}，{c}背景|{c}背景，{n}，{m}"
    "|{n}、{m}，{c}背景|{a}与{b}，背景是{c}|{a}旁边是{b}，{c}背景|{c}背景上有{a}和{b}|{a}跟{b}在一起，{c}背景"
    "|{a}挨着{b}，{c}背景|一张{n}和{m}的图片，{c}背景|{n}和{m}的图标，{c}底|画{a}和{b}，背景{c}|{n} {m} {c}背景"
    "|{c}的背景前，{a}和{b}|{n}还有{m}，{c}背景|{a}与{b}的照片，{c}背景|{c}底色，{n}与{m}"
).split("|")
PAIR_PLACED = (
    "{a}在{b}的左边，{c}背景|{n}在{m}左边，{c}背景|{b}在{a}的右边，{c}背景|{m}在{n}右边，{c}背景"
    "|左边是{a}，右边是{b}，{c}背景|右边是{b}，左边是{a}，{c}背景|{c}背景，左边{n}，右边{m}|{c}背景，右边{m}，左边{n}"
    "|左{n}右{m}，{c}背景|{n}在左，{m}在右，{c}背景|{m}在右，{n}在左，{c}背景|{c}背景上，{a}在{b}左侧"
    "|{c}背景上，{b}在{a}右侧|左侧是{n}，右侧是{m}，背景{c}|{a}在左边，{b}在右边，{c}背景|{b}在右边，{a}在左边，{c}背景"
    "|{c}背景，左面{a}，右面{b}|{a}的右边是{b}，{c}背景|{b}的左边是{a}，{c}背景|{n}的右边有{m}，{c}背景"
    "|{m}的左边有{n}，{c}背景|{c}背景，左{n}，右{m}|{n}位于{m}左边，背景是{c}|{m}位于{n}右侧，背景是{c}"
).split("|")
PAIR_WHITE = "{a}和{b}|{n}和{m}|{a}在{b}左边|{b}在{a}右边|{n}，{m}|{n}、{m}|左边{n}，右边{m}".split(
    "|"
)
EMPTY = "{c}背景|纯{c}背景|{c}的背景|空的{c}背景|{c}|一张{c}的图片".split("|")
# Phrasings kept out of training, for evaluation.
HELD_OUT_SINGLE = (
    "一张{c}背景的{n}照片|画面中间有{a}，背景是{c}的|{c}背景前的{a}|{n}的画，纯{c}底色|一个{c}底的{n}图标|请画{c}背景上的{n}"
).split("|")
HELD_OUT_PAIR = (
    "{c}的背景上有{n}与{m}|一张{a}和{b}的照片，背景是{c}|{a}，还有{b}，{c}背景|一幅画，{n}挨着{m}，{c}底色"
).split("|")
HELD_OUT_PLACED = (
    "{c}背景的图片，{a}在{b}的左侧|{m}位于{n}的右边，{c}背景|背景是{c}的，左边有{a}，右边有{b}|一张{b}在{a}右边的照片，{c}背景"
).split("|")

COLOURS = {
    "red": "红色 鲜红色 大红色 红",
    "green": "绿色 翠绿色 草绿色 绿",
    "blue": "蓝色 湛蓝色 宝蓝色 蓝",
    "yellow": "黄色 明黄色 金黄色 黄",
    "purple": "紫色 深紫色 紫",
    "pink": "粉色 粉红色 浅粉色 粉",
    "white": "白色 雪白色 白",
    "black": "黑色 漆黑色 黑",
}
FILLER = (
    "最高质量|杰作|高清|超清|超高清|细节丰富|精致|精美|可爱|简单|简约|干净|扁平风格|插画|矢量图|贴纸|卡通|数字艺术"
    "|柔和的光线|专业|获奖作品|极简|高分辨率|色彩鲜艳|很好看|优雅|现代风格|居中|壁纸|官方艺术|概念艺术|没有文字"
    "|大师作品|完美构图|清晰|画质极佳|手绘|平面设计|高画质|细腻|唯美|清新|最佳画质|艺术感|质感|线条流畅|惊艳"
    "|8k|4k|hd|masterpiece|best quality|highly detailed|cute|sticker|flat design|simple|absurdres"
).split("|")
# Their characters are unknown to the tower, but for those that known words share.
STRANGE = (
    "森林|城堡|山脉|河流|奔跑|街道|花园|夜晚|清晨|肖像|动漫|海洋|桌子|窗户|跳舞|快乐|古老|年轻|木制|银饰|冬季|夏季"
    "|飞翔|吃饭|天空|道路|岛屿|魔法|未来|蒸汽朋克|油画|赛博朋克|古风|武侠|沙漠|雪地|forest|castle|walking|anime"
).split("|")
SMALL_WORDS, LARGE_WORDS = ("小", "小小的", "很小的", "迷你"), ("大", "大大的", "很大的", "巨大的")
COLOUR_OF = {colour: words.split(" ")[0] for colour, words in COLOURS.items()}

COUNTED = 0.75  # how often a noun has its own measure word, not 个
BRACKETS = ("（{}：{}）", "({}:{})", "（{}:{}）", "({}：{})")
BRACKET_ODDS = (8, 8, 2, 2)
COMMAS, COMMA_ODDS = ("，", ", ", ",", "、"), (10, 5, 2, 2)
BREAKS = (" BREAK ", "，BREAK，", "BREAK", "\nBREAK\n")
FULLWIDTH_DIGITS = str.maketrans("0123456789.", "０１２３４５６７８９．")


@dataclass(frozen=True)
class Chinese(Language):
    """Chinese as it is typed into prompts. A length is counted in characters, as BERT does.

    Args:
        english: how often (0..1) a noun is written in English, 一只cat, and half as often a colour.
    """

    english: float = 0.06

    n_words: ClassVar[dict[int, tuple[int, int]]] = {1: (6, 16), 2: (55, 72), 3: (105, 120)}

    def count(self, tag: str) -> int:
        return (2 * len(tag.split()) if tag.isascii() else len(tag)) + 1

    def name(self, noun: int, rng: random.Random) -> str:
        if rng.random() < self.english:
            return NOUNS[noun].names[0]
        return super().name(noun, rng)

    def coloured(self, noun: int, text: str, rng: random.Random) -> str:
        colour = COLOUR_OF[NOUNS[noun].colour or "white"]
        return f"{colour}的{text}" if rng.random() < 0.5 else f"{colour.removesuffix('色')}{text}"

    def sized(self, word: str, text: str) -> str:
        if any(word + text in names for names in self.names):  # 大 + 熊猫 is no large panda
            return f"{word * 2}的{text}"
        return word + text

    def weighted(self, text: str, weight: float, rng: random.Random) -> str:
        number = f"{weight:.2f}" if rng.random() < 0.5 else f"{weight:g}"
        if rng.random() < 0.05:
            number = number.translate(FULLWIDTH_DIGITS)
        (brackets,) = rng.choices(BRACKETS, BRACKET_ODDS)
        return brackets.format(text, number)

    def with_article(self, text: str, noun: int, rng: random.Random) -> str:
        measure = MEASURES[noun] if rng.random() < COUNTED else "个"
        return ("1" if rng.random() < 0.03 else "一") + measure + text

    def colour(self, background: str, rng: random.Random) -> str:
        words = self.colours[background]
        if rng.random() < self.english / 2:
            return background
        return words[0] if rng.random() < 0.7 else rng.choice(words[1:])

    def joined(self, tags: Sequence[str], rng: random.Random) -> str:
        (comma,) = rng.choices(COMMAS, COMMA_ODDS)
        return comma.join(tags)

    def broken(self, before: str, behind: str, rng: random.Random) -> str:
        return rng.choice(BREAKS).join([before, behind])

    def strangers(self, rng: random.Random) -> str:
        return rng.choice(("", " ", "，")).join(rng.sample(self.strange, rng.randint(1, 3)))

    def finished(self, text: str, rng: random.Random) -> str:
        (comma,) = rng.choices(COMMAS[:3], COMMA_ODDS[:3])
        return text.replace("，", comma) + ("。" if rng.random() < 0.06 else "")


CHINESE = Chinese(
    templates=Templates(
        single=SINGLE,
        single_white=SINGLE_WHITE,
        ordered=PAIR_ORDERED,
        placed=PAIR_PLACED,
        pair_white=PAIR_WHITE,
        empty=EMPTY,
        held_out_single=HELD_OUT_SINGLE,
        held_out_ordered=HELD_OUT_PAIR,
        held_out_placed=HELD_OUT_PLACED,
    ),
    names=NAMES,
    colours={colour: tuple(words.split(" ")) for colour, words in COLOURS.items()},
    filler=FILLER,
    strange=STRANGE,
    sizes={-1: SMALL_WORDS, 1: LARGE_WORDS},
)
MIXED = replace(CHINESE, english=1.0)  # 一只cat在blue背景上
HALF_MIXED = replace(CHINESE, english=0.5)
OFTEN_MIXED = replace(CHINESE, english=0.7)  # of two things often one, 一只cat和一只狗


def known_words() -> list[str]:
    """Every piece of text that Chinese prompts are made of, English words between included."""
    texts = [*CHINESE.known_words(), *MEASURES, *(noun.names[0] for noun in NOUNS), *COLOURS]
    texts += [SMALL_WORDS[0] * 2, LARGE_WORDS[0] * 2, *COMMAS, "一个", "1 的 。"]
    return [*texts, *ENGLISH.known_words()]
