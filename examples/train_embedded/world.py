"""The world of the embedded model: emoji on plain backgrounds, rendered from Noto Color Emoji.

A scene is a background colour and none, one or two things. One thing is in the middle, small or
large; two are left and right. Artwork: Noto Color Emoji (SIL Open Font License 1.1 / Apache-2.0).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = 64  # pixels a side
FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")  # package fonts-noto-color-emoji
FONT_SIZE = 109  # the only bitmap strike of the font

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 46, 48),
    "green": (46, 160, 67),
    "blue": (44, 100, 222),
    "yellow": (250, 212, 48),
    "purple": (128, 66, 190),
    "pink": (250, 150, 192),
    "white": (250, 250, 250),
    "black": (24, 24, 24),
}
COLOUR_JITTER = 6  # levels of 255, each channel

# emoji: names, the first of which is the noun's own; after ";" a colour people say with it
_NOUNS = """
🐱 cat|kitten;yellow
🐶 dog|puppy
🐭 mouse
🐰 rabbit|bunny;white
🦊 fox;red
🐻 bear
🐼 panda
🐨 koala
🐯 tiger
🦁 lion
🐮 cow
🐷 pig;pink
🐸 frog;green
🐵 monkey
🐔 chicken
🐧 penguin
🦆 duck
🦉 owl
🐴 horse
🦄 unicorn;white
🐝 bee;yellow
🦋 butterfly
🐌 snail
🐞 ladybug;red
🐢 turtle;green
🐍 snake;green
🐙 octopus
🦀 crab
🐠 fish
🐬 dolphin;blue
🐳 whale;blue
🦈 shark
🐘 elephant
🦒 giraffe
🦓 zebra
🐪 camel
🍎 apple;red
🍐 pear;green
🍊 orange
🍋 lemon;yellow
🍌 banana;yellow
🍉 watermelon;green
🍇 grapes;purple
🍓 strawberry;red
🍒 cherry;red
🍑 peach;pink
🍍 pineapple
🍅 tomato;red
🥕 carrot
🌽 corn;yellow
🍄 mushroom;red
🍞 bread
🧀 cheese;yellow
🍔 burger|hamburger
🍕 pizza
🍩 donut
🍪 cookie
🎂 cake
🍦 ice cream
🥚 egg;white
☕ coffee
🚗 car;red
🚕 taxi;yellow
🚌 bus
🚒 fire truck;red
🚜 tractor
🚲 bicycle|bike
🚀 rocket
✈ airplane|plane
🚁 helicopter
⛵ boat|sailboat
🚂 train
⚽ football|soccer ball
🏀 basketball
🎸 guitar
🥁 drum
📷 camera
💻 laptop|computer
📱 phone
💡 lamp|light bulb
🔑 key
🔨 hammer
✂ scissors
📚 books
🎈 balloon;red
🎁 gift|present
👑 crown
💎 diamond;blue
☂ umbrella;purple
🏠 house
🌲 tree;green
🌵 cactus;green
🌻 sunflower;yellow
🌹 rose;red
🌙 moon;yellow
⭐ star;yellow
☀ sun;yellow
🔥 fire
❤ heart;red
👻 ghost;white
🤖 robot
👽 alien
💀 skull;white
🎃 pumpkin
⏰ clock;red
🎩 hat;black
👟 shoe
😀 smiley|happy face;yellow
😡 angry face;red
😎 cool face
🤡 clown
"""


@dataclass(frozen=True, slots=True)
class Noun:
    """A kind of thing: its emoji, its English names and, if people say one, its natural colour."""

    emoji: str
    names: tuple[str, ...]
    colour: str | None


def _read_nouns() -> tuple[Noun, ...]:
    nouns = []
    for line in _NOUNS.strip().splitlines():
        emoji, rest = line.split(" ", 1)
        names, _, colour = rest.partition(";")
        nouns.append(Noun(emoji, tuple(names.split("|")), colour or None))
    return tuple(nouns)


NOUNS = _read_nouns()


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of a scene. `noun` indexes NOUNS; `size`, `x`, `y` (its centre) are pixels."""

    noun: int
    size: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Scene:
    """A background colour's name and the things on it, left to right."""

    background: str
    things: tuple[Thing, ...]


SMALL, ONE, LARGE = 26, 42, 52  # pixels, a thing that is alone
PAIR_SMALL, PAIR, PAIR_LARGE = 18, 26, 34  # pixels, each of two
JITTER = 2  # pixels, each axis


def place(
    background: str, nouns: list[int], sizes: list[int], rng: random.Random | None = None
) -> Scene:
    """Put one thing into the middle, or two into the middles of the halves; `rng` jitters them."""

    def moved(at: int) -> int:
        return at + (rng.randint(-JITTER, JITTER) if rng else 0)

    step = SIZE // (2 * max(1, len(nouns)))
    things = [
        Thing(noun, size, moved(step * (2 * i + 1)), moved(SIZE // 2))
        for i, (noun, size) in enumerate(zip(nouns, sizes, strict=True))
    ]
    return Scene(background, tuple(things))


@cache
def _artwork(noun: int) -> Image.Image:
    """The emoji [square RGBA, premultiplied], cropped to its ink and centred."""
    font = ImageFont.truetype(str(FONT), FONT_SIZE)
    canvas = Image.new("RGBA", (160, 160))
    ImageDraw.Draw(canvas).text((10, 10), NOUNS[noun].emoji, font=font, embedded_color=True)
    ink = canvas.crop(canvas.getbbox())
    side = max(ink.size)
    square = Image.new("RGBA", (side, side))
    square.paste(ink, ((side - ink.width) // 2, (side - ink.height) // 2))
    return square.convert("RGBa")


@cache
def sprite(noun: int, size: int) -> np.ndarray:
    """The thing at `size` pixels: float32 [size size 4], colour premultiplied by alpha, 0..1."""
    small = _artwork(noun).resize((size, size), Image.Resampling.BOX, reducing_gap=None)
    return np.asarray(small, dtype=np.float32) / 255


def render(scene: Scene, rng: random.Random | None = None) -> np.ndarray:
    """Draw a scene: uint8 [SIZE SIZE 3]. `rng` jitters the background colour."""
    colour = np.array(COLOURS[scene.background], dtype=np.float32)
    if rng:
        colour += [rng.randint(-COLOUR_JITTER, COLOUR_JITTER) for _ in range(3)]
    image = np.broadcast_to(colour / 255, (SIZE, SIZE, 3)).copy()
    for thing in scene.things:
        left, top = thing.x - thing.size // 2, thing.y - thing.size // 2
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + thing.size, SIZE), min(top + thing.size, SIZE)
        drawn = sprite(thing.noun, thing.size)[y0 - top : y1 - top, x0 - left : x1 - left]
        image[y0:y1, x0:x1] = image[y0:y1, x0:x1] * (1 - drawn[..., 3:]) + drawn[..., :3]
    return (image.clip(0, 1) * 255).round().astype(np.uint8)
