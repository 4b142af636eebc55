"""What people write for a scene: English captions in many phrasings, short, long and weighted."""

from __future__ import annotations

from phrasing import Language, Mix, Sample, Templates
from world import COLOURS, NOUNS

__all__ = ["ENGLISH", "Mix", "Sample", "describe", "known_words", "lengthened", "sample"]

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
# Their vocabulary rows are zero.
STRANGE = (
    "walking|forest|castle|mountain|wearing|river|running|city|street|garden|sitting|night|morning"
    "|portrait|anime|ocean|table|window|dancing|happily|old|young|wooden|golden|silver|winter|summer"
    "|flying|eating|sky|road|island|magic|ancient|future|steampunk|oil painting|watercolor"
).split("|")
SMALL_WORDS, LARGE_WORDS = ("small", "little", "tiny"), ("large", "big", "huge")

ENGLISH = Language(
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
    names=[noun.names for noun in NOUNS],
    colours={colour: (colour,) for colour in COLOURS},
    filler=FILLER,
    strange=STRANGE,
    sizes={-1: SMALL_WORDS, 1: LARGE_WORDS},
)
describe = ENGLISH.describe
lengthened = ENGLISH.lengthened
sample = ENGLISH.sample
known_words = ENGLISH.known_words
