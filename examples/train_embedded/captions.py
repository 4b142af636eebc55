"""What people write for a scene: English captions in many phrasings, short, long and weighted.

Every caption is a prompt in the a1111 dialect. Two rules keep the world simple: no background named
means white, and of two things the one named first stands left unless the words say otherwise.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from world import (
    COLOURS,
    LARGE,
    NOUNS,
    ONE,
    PAIR,
    PAIR_LARGE,
    PAIR_SMALL,
    SMALL,
    Scene,
    place,
)

SINGLE = (
    "{a} on a {c} background|{n} on {c} background|{n}, {c} background|{c} background, {n}"
    "|a {c} background with {a}|{a} against a {c} background|a picture of {a} on a {c} background"
    "|an emoji of {a} on a {c} background|a photo of {a}, {c} background|{a} in front of a {c} background"
    "|a drawing of {a} on {c}|{n} on {c}|{a} on {c}|an icon of {a}, {c} background"
    "|{c} background with {a} in the middle|{n} emoji, plain {c} background"
    "|{a} is on a {c} background|the {n} on the {c} background|one {n}, {c} background"
).split("|")
SINGLE_WHITE = "{a}|{n}|a picture of {a}|an emoji of {a}|a photo of {a}|the {n}|{n} emoji".split(
    "|"
)
PAIR_ORDERED = (
    "{a} and {b} on a {c} background|{n} and {m} on {c} background|{n}, {m}, {c} background"
    "|{c} background, {n} and {m}|{a} next to {b} on a {c} background|{a} with {b}, {c} background"
    "|{a} beside {b} on a {c} background|a {c} background with {a} and {b}"
    "|a picture of {a} and {b} on a {c} background|{c} background, {n}, {m}"
    "|an emoji of {a} and {b}, {c} background|{a} and {b} on {c}|the {n} and the {m} on {c} background"
    "|{a} and {b} in front of a {c} background|{n}, {m} on {c}"
).split("|")
PAIR_PLACED = (
    "{a} left of {b} on a {c} background|{n} left of {m}, {c} background"
    "|{a} to the left of {b} on a {c} background|{b} right of {a} on a {c} background"
    "|{b} to the right of {a} on a {c} background|{m} right of {n}, {c} background"
    "|{a} on the left and {b} on the right, {c} background"
    "|{b} on the right and {a} on the left, {c} background|on the left {a}, on the right {b}, {c} background"
    "|{n} on the left, {m} on the right, {c} background|{m} on the right, {n} on the left, {c} background"
    "|{c} background, {n} left, {m} right|{c} background, {m} right, {n} left"
    "|{c} background, {a} left of {b}|{c} background, {b} right of {a}"
).split("|")
PAIR_WHITE = "{a} and {b}|{n} and {m}|{a} left of {b}|{b} right of {a}|{n}, {m}".split("|")
EMPTY = "a {c} background|{c} background|plain {c} background|an empty {c} background|{c}".split(
    "|"
)
# Phrasings kept out of training, for evaluation.
HELD_OUT_SINGLE = (
    "the emoji of {a} on a plain {c} background|a {c} background, {a} in the middle"
    "|a drawing of {a} in front of a {c} background|photo of {n}, plain {c} background"
    "|an icon of one {n} against a {c} background|picture of the {n} on {c}"
).split("|")
HELD_OUT_PAIR = (
    "a photo of {a} and {b} on a {c} background|the {n} next to the {m}, {c} background"
    "|a drawing of {a} beside {b} in front of a {c} background|{n} with {m} on {c} background"
).split("|")
HELD_OUT_PLACED = (
    "a picture of {a} to the left of {b}, {c} background|the {m} right of the {n} on {c} background"
    "|a {c} background with {a} on the left and {b} on the right"
    "|an emoji of {b} to the right of {a} on a {c} background"
).split("|")

FILLER = (
    "masterpiece|best quality|highly detailed|sharp focus|flat design|cute|simple|clean|4k|8k|hd"
    "|beautiful|colorful|digital art|illustration|vector art|sticker|cartoon|trending on artstation"
    "|soft light|studio lighting|professional|award winning|minimal|high resolution|crisp edges"
    "|bright colors|very nice|elegant|intricate details|smooth shading|modern style|amazing"
    "|perfect composition|centered|wallpaper|absurdres|official art|concept art|no text"
    "|great work of art|made with love|popular on the web|a very good picture|clear and simple"
    "|nice to look at|drawn by a famous artist|the best of its kind|high quality picture"
).split("|")
# Ordinary words the towers never learn: their vocabulary rows are zero. A few stand in the training
# prompts, so that a picture survives a word the model cannot read.
STRANGE = (
    "walking|forest|castle|mountain|wearing|river|running|city|street|garden|sitting|night|morning"
    "|portrait|anime|ocean|table|window|dancing|happily|old|young|wooden|golden|silver|winter|summer"
    "|flying|eating|sky|road|island|magic|ancient|future|steampunk|oil painting|watercolor"
).split("|")
SMALL_WORDS, LARGE_WORDS = ("small", "little", "tiny"), ("large", "big", "huge")
WEIGHTS = (0.3, 1.6)  # emphasis drawn for training: a heavier thing is drawn larger
WEIGHT_POWER = 0.5  # size ~ weight ** WEIGHT_POWER


def with_article(text: str) -> str:
    """`text` behind "a" or "an"."""
    return ("an " if text.lstrip("(")[0] in "aeiou" and text != "unicorn" else "a ") + text


@dataclass(frozen=True, slots=True)
class Sample:
    """A prompt and the scene it asks for."""

    prompt: str
    scene: Scene


@dataclass(frozen=True, slots=True)
class Mix:
    """How often (0..1) a sampled prompt has each feature."""

    pair: float = 0.6
    empty: float = 0.015
    white: float = 0.08
    sized: float = 0.2
    weighted: float = 0.0
    filler: float = 0.35
    strange: float = 0.06
    long: float = 0.0
    held_out: bool = False
    jitter: bool = True


def _named(noun: int, rng: random.Random, size: str, weight: float | None) -> str:
    names = NOUNS[noun].names
    text = names[0] if len(names) == 1 or rng.random() < 0.7 else rng.choice(names[1:])
    if NOUNS[noun].colour and rng.random() < 0.08:
        text = f"{NOUNS[noun].colour} {text}"
    if size:
        text = f"{size} {text}"
    return text if weight is None else f"({text}:{weight:.2f})"


def _size(rng: random.Random, mix: Mix, n: int) -> tuple[str, int]:
    base = ONE if n == 1 else PAIR
    if rng.random() >= mix.sized:
        return "", base
    if rng.random() < 0.5:
        return rng.choice(SMALL_WORDS), SMALL if n == 1 else PAIR_SMALL
    return rng.choice(LARGE_WORDS), LARGE if n == 1 else PAIR_LARGE


def _template(rng: random.Random, mix: Mix, n: int, white: bool) -> str:
    if mix.held_out:
        pools = (HELD_OUT_SINGLE,) if n == 1 else (HELD_OUT_PAIR, HELD_OUT_PLACED)
    elif white:
        pools = (SINGLE_WHITE,) if n == 1 else (PAIR_WHITE,)
    else:
        pools = (SINGLE,) if n == 1 else (PAIR_ORDERED, PAIR_PLACED)
    return rng.choice(rng.choice(pools))


def describe(
    background: str, nouns: list[int], rng: random.Random, mix: Mix, template: str | None = None
) -> Sample:
    """A prompt for these things on this background, and the scene that it means."""
    n = len(nouns)
    white = background == "white" and rng.random() < 0.4 and not mix.held_out
    if n == 0:
        return Sample(rng.choice(EMPTY).format(c=background), place(background, [], []))
    template = template or _template(rng, mix, n, white)
    names, sizes = [], []
    heavy = rng.randrange(n) if rng.random() < mix.weighted else -1
    for i, noun in enumerate(nouns):
        word, size = _size(rng, mix, n)
        weight = round(rng.uniform(*WEIGHTS), 2) if i == heavy else None
        if weight is not None:
            word, size = "", round((ONE if n == 1 else PAIR) * weight**WEIGHT_POWER)
        names.append(_named(noun, rng, word, weight))
        sizes.append(size)
    words = {"n": names[0], "a": with_article(names[0]), "c": background}
    if n == 2:
        words |= {"m": names[1], "b": with_article(names[1])}
    text = template.format(**words)
    if rng.random() < mix.filler:
        text = _dressed(text, rng)
    if rng.random() < mix.strange:
        words = " ".join(rng.sample(STRANGE, rng.randint(1, 3)))
        text = f"{text}, {words}" if rng.random() < 0.6 else f"{words}, {text}"
    return Sample(text, place(background, nouns, sizes, rng if mix.jitter else None))


def _dressed(text: str, rng: random.Random) -> str:
    """`text` with tags such as "best quality" before it, behind it or both."""
    before = ", ".join(rng.sample(FILLER, rng.randint(1, 3)))
    behind = ", ".join(rng.sample(FILLER, rng.randint(1, 4)))
    where = rng.randrange(4)
    if where == 0:
        return f"{before}, {text}"
    return f"{before}, {text}, {behind}" if where == 1 else f"{text}, {behind}"


def lengthened(text: str, rng: random.Random, n_chunks: int) -> str:
    """`text` in a prompt of `n_chunks` chunks: filler before and behind it, now and then BREAK.

    One chunk means a long prompt that still fits into one.
    """
    n_words = {1: (15, 32), 2: (90, 120), 3: (170, 200)}[n_chunks]
    target, tags, n = rng.randint(*n_words), [], 0
    while n < target:
        tags.append(rng.choice(FILLER))
        n += len(tags[-1].split()) + 1
    at = rng.randint(0, len(tags)) if rng.random() < 0.6 else len(tags)
    if n_chunks == 2 and rng.random() < 0.3:
        half = ", ".join(tags[: len(tags) // rng.randint(3, 6)])
        return f"{half} BREAK {text}" if rng.random() < 0.6 else f"{text} BREAK {half}"
    return ", ".join([*tags[:at], text, *tags[at:]])


def sample(rng: random.Random, mix: Mix) -> Sample:
    """Draw a scene and a prompt for it."""
    background = rng.choice(list(COLOURS))
    draw = rng.random()
    n = 0 if draw < mix.empty else 2 if draw < mix.empty + mix.pair else 1
    drawn = describe(background, rng.sample(range(len(NOUNS)), n), rng, mix)
    if rng.random() < mix.long:
        text = lengthened(drawn.prompt, rng, 2 if rng.random() < 0.75 else 3)
        drawn = Sample(text, drawn.scene)
    return drawn


def known_words() -> list[str]:
    """Every piece of text the prompts are made of, for finding the vocabulary rows in use."""
    texts = [name for noun in NOUNS for name in noun.names] + [*COLOURS, *FILLER]
    pools = SINGLE + PAIR_ORDERED + PAIR_PLACED + EMPTY + SINGLE_WHITE + PAIR_WHITE
    pools += HELD_OUT_SINGLE + HELD_OUT_PAIR + HELD_OUT_PLACED
    texts += [t.format(**dict.fromkeys("nmabc", "a")) for t in pools]
    return [*texts, *SMALL_WORDS, *LARGE_WORDS, "a an , ."]
