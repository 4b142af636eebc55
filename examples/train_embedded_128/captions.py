"""What people write for a scene in English, and the plain English that adapters are taught by.

The first edition's phrasings are all here; number words, styles, colours of things, places above
and below, whole sentences and misspelt nouns are new.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from .captioning import Habits, Language, Said, size_class
from .colouring import COLOURS
from .first_edition import WEIGHT_POWER, english
from .nouns import NOUNS, PLURALS, UNCOUNTED, plural
from .typing_errors import misspelt
from .world import Thing, colour_name

NUMBERS = {2: ("two", "two", "two", "2", "a pair of"), 3: ("three", "three", "3")}
SMALL, LARGE = ("small", "little", "tiny"), ("large", "big", "huge", "giant")


class English(Language):
    """English captions."""

    def noun(self, thing: Thing, n: int, rng: random.Random, habits: Habits) -> str:
        if n == 1 and rng.random() < habits.unknown:
            return rng.choice(self.strange)
        names = NOUNS[thing.noun].names
        name = names[0] if len(names) == 1 or rng.random() < 0.7 else rng.choice(names[1:])
        if n > 1:
            name = plural(name)
        if rng.random() < habits.misspelt:
            name = misspelt(name, rng, held_out=habits.held_out)
        colour = colour_name(thing.colour)
        if colour == "gray" and rng.random() < 0.3:
            colour = "grey"
        return f"{colour} {name}".strip()

    def phrase(self, thing: Thing, n: int, rng: random.Random, word: str) -> tuple[str, str]:
        if (claim := size_class(thing)) != 0:
            word = f"{rng.choice(SMALL if claim < 0 else LARGE)} {word}"
        if n > 1:
            counted = f"{rng.choice(NUMBERS[n])} {word}"
            return counted, counted
        name = NOUNS[thing.noun].names[0]
        if name in PLURALS or (name in UNCOUNTED and rng.random() < 0.6):
            return word, word
        return with_article(word), word

    def words(self) -> list[str]:
        names = [name for noun in NOUNS for name in noun.names]
        numbers = [number for several in NUMBERS.values() for number in several]
        own = [*names, *map(plural, names), *COLOURS, "grey", *SMALL, *LARGE, *numbers, "a an"]
        return [*super().words(), *own]

    def singular(self, template: str) -> bool:
        return any(part in template for part in (" is ", "one {n}", "{n} emoji", "the {n} on"))

    def finished(self, text: str, rng: random.Random) -> str:
        return re.sub(r"\ba (?=orange)", "an ", text)

    def background(self, colour: str, rng: random.Random) -> str:
        return "grey" if colour == "gray" and rng.random() < 0.3 else colour

    def behind_filler(self, text: str, rng: random.Random) -> str:
        """Text in a prompt of two chunks: all of it in the second."""
        return self.joined([*(rng.choice(self.filler) for _ in range(42)), text], rng)


def with_article(text: str) -> str:
    """`text` behind "a" or "an"."""
    first = text.lstrip("(")
    return ("an " if first[0] in "aeiou" and not first.startswith(("uni", "ufo")) else "a ") + text


KNOWN = {part for noun in NOUNS for name in noun.names for part in name.split()}
FIRST = english.ENGLISH.templates
SENTENCES = (
    "there is {a} on a {c} background|I want {a} with a {c} background|please draw {a} on {c}"
    "|the background is {c} and there is {a}|{a}, the background is {c}|draw {a}, {c} bg"
    "|{a} standing in front of a {c} wall|show me {a} on a plain {c} background"
).split("|")
PLACED = (
    "on the left side there is {a}, on the right side there is {b}, the background is {c}"
    "|there is {a} on the left and {b} on the right, {c} background"
    "|{a} on the left side, {b} on the right side, {c} background|left {n}, right {m}, {c} background"
).split("|")
ABOVE = (
    "{a} above {b} on a {c} background|{n} above {m}, {c} background|{b} below {a} on a {c} background"
    "|{a} on top of {b}, {c} background|{a} on top of {b} on a {c} background|{b} under {a}, {c} background"
    "|{a} over {b}, {c} background|{c} background, {n} on top of {m}|{c} background, {m} below {n}"
    "|{a} at the top and {b} at the bottom, {c} background|there is {a} above {b}, the background is {c}"
).split("|")
EXTRA_WHITE = ("draw {a}", "there is {a}", "please draw {a}", "I want {a}", "an image of {a}")
ABOVE_WHITE = (
    "{a} above {b}",
    "{a} on top of {b}",
    "{b} below {a}",
    "{b} under {a}",
    "{n} over {m}",
)
HELD_OUT_ABOVE = (
    "a picture of {a} on top of {b}, {c} background|a {c} background with {a} above {b}"
    "|the {m} under the {n} on {c}|{n} sits on top of {m} before a {c} background"
).split("|")
# By style: what comes before a thing (its article, and the rest), words in front of the noun, tags.
STYLE_WORDS = {
    "3d": {
        "prefix": (("a ", "3d render of {a}"), ("a ", "3d model of {a}"), ("", "3d {a}")),
        "adjective": ("3d", "glossy 3d", "3d", "shiny 3d"),
        "tag": ("3d", "3d render", "3d style", "glossy 3d", "rendered in 3d"),
    },
    "flat": {
        "prefix": (
            ("a ", "flat icon of {a}"),
            ("", "flat icon of {a}"),
            ("a ", "flat drawing of {a}"),
        ),
        "adjective": ("flat", "flat design"),
        "tag": ("flat icon", "flat design", "flat style", "flat", "flat colors"),
    },
    "emoji": {
        "prefix": (("an ", "emoji of {a}"), ("", "emoji of {a}"), ("the ", "emoji for {a}")),
        "adjective": ("emoji",),
        "tag": ("emoji", "emoji style", "as an emoji"),
    },
    "pixel": {
        "prefix": (
            ("", "pixel art of {a}"),
            ("", "pixel art, {a}"),
            ("a ", "pixel drawing of {a}"),
        ),
        "adjective": ("pixel art", "pixelated", "8-bit"),
        "tag": ("pixel art", "8-bit", "pixelated", "pixel style", "retro game style"),
    },
}
BAD = {
    "blurry": ("blurry", "out of focus", "blurred", "unsharp", "low quality", "bad quality"),
    "noisy": (
        *("noisy", "jpeg artifacts", "low quality", "worst quality", "grainy", "lowres", "ugly"),
        *("bad quality", "deformed", "bad anatomy", "extra limbs", "watermark", "artifacts"),
    ),
}

ENGLISH = English(
    templates={
        "single": [*FIRST.single, *SENTENCES],
        "single white": [*FIRST.single_white, *EXTRA_WHITE],
        "ordered": FIRST.ordered,
        "placed": [*FIRST.placed, *PLACED],
        "pair white": FIRST.pair_white,
        "above": ABOVE,
        "above white": ABOVE_WHITE,
        "empty": FIRST.empty,
    },
    held_out={
        "single": [*FIRST.held_out_single, "can you draw {a} on a {c} background"],
        "ordered": FIRST.held_out_ordered,
        "placed": FIRST.held_out_placed,
        "above": HELD_OUT_ABOVE,
        "empty": ("nothing but a {c} background",),
    },
    styles=STYLE_WORDS,
    filler=[tag for tag in english.FILLER if "flat" not in tag],
    strange=[word for word in english.STRANGE if not KNOWN & set(word.split())],
    degraded=BAD,
)


class Usual(random.Random):
    """Chooses the first of everything, and nothing that is only now and then."""

    def random(self) -> float:
        return 1.0

    def choice(self, seq: Sequence) -> object:  # type: ignore[type-arg, override]
        return seq[0]


def plain(said: Said) -> str:
    """Say in English, always in the same few words, what another caption says."""
    rng = Usual()
    scene, texts = said.scene, []
    if said.silent:
        return BAD[scene.degraded][0]
    for thing, n in scene.counts:
        name = NOUNS[thing.noun].names[0]
        word = f"{colour_name(thing.colour)} {plural(name) if n > 1 else name}".strip()
        weight = said.scale[scene.things.index(thing)] ** (1 / WEIGHT_POWER) if said.scale else 1.0
        if abs(weight - 1) > 0.004:
            word = ENGLISH.weighted(word, weight, rng)
        texts.append(ENGLISH.phrase(thing, n, rng, word)[0])
    text = (" above " if scene.arrangement == "above" else " left of ").join(texts)
    place = f"{scene.background} background"
    if text and said.named:
        text = f"{text} on a {place}"
    tags = [STYLE_WORDS[scene.style]["tag"][0]] if scene.style and scene.things else []
    tags += [BAD[scene.degraded][0]] if scene.degraded else []
    return ENGLISH.finished(", ".join([text or place, *tags]), rng)
