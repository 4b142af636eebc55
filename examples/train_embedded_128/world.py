"""The world of the second edition: scenes of none to three things on a plain background.

A scene says what is drawn; what it leaves open (artist, shade, pose, exact place) the renderer
draws by chance. Scenes that hash to `HELD_OUT` are never trained on: evaluation draws only those.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, field

from .colouring import COLOURS
from .nouns import NOUNS
from .pack import SETS
from .sprites import COLOUR_NAMES, Offers

SIZE = 128  # pixels a side
BACKGROUNDS = tuple(COLOURS)
# Which artists a style word means; "pixel" is any of them in few, large pixels.
STYLES: dict[str, tuple[str, ...]] = {
    "3d": ("fluent-3d",),
    "flat": ("fluent-flat",),
    "emoji": ("noto", "noto-v1"),
    "pixel": SETS,
}
DEGRADED = ("", "blurry", "noisy")
HELD_OUT = 10  # one scene in so many
# Sizes by number of things: small, as it comes, large.
SIZES = {1: (50, 84, 112), 2: (34, 54, 68), 3: (27, 36, 44)}
PLACES: dict[str, tuple[tuple[int, int], ...]] = {
    "one": ((64, 64),),
    "beside": ((33, 64), (95, 64)),
    "above": ((64, 33), (64, 95)),
    "row": ((22, 64), (64, 64), (106, 64)),
    "triangle": ((64, 34), (34, 92), (94, 92)),
}


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing: an index of NOUNS, of COLOUR_NAMES (-1 = its own), and its size in pixels."""

    noun: int
    colour: int = -1
    size: int = SIZES[1][1]


@dataclass(frozen=True, slots=True)
class Scene:
    """What is drawn, in the order of the places of its arrangement.

    Args:
        style: one of STYLES; None = by any artist.
        degraded: one of DEGRADED, "" for a clear picture.
    """

    background: str = "white"
    things: tuple[Thing, ...] = ()
    arrangement: str = "one"
    style: str | None = None
    degraded: str = ""

    @property
    def counts(self) -> list[tuple[Thing, int]]:
        """The different kinds of things in order, and how many of each."""
        kinds: dict[tuple[int, int], list[Thing]] = {}
        for thing in self.things:
            kinds.setdefault((thing.noun, thing.colour), []).append(thing)
        return [(same[0], len(same)) for same in kinds.values()]

    @property
    def meaning(self) -> tuple[object, ...]:
        """What a caption can tell of it: scenes of one meaning may share a caption."""
        things = tuple((t.noun, t.colour, t.size) for t in self.things)
        across = "row" if self.arrangement == "triangle" else self.arrangement
        return self.background, things, across, self.style, self.degraded


def is_held_out(scene: Scene) -> bool:
    """Whether only evaluation may draw it.

    By kind and background where there is one kind of thing, by the two kinds where there are two,
    in whatever order, colours and style.
    """
    kinds = sorted({NOUNS[thing.noun].names[0] for thing in scene.things})
    if not kinds:
        return False
    if len(kinds) == 1:
        colours = sorted({thing.colour for thing in scene.things})
        kinds += [scene.background, str(len(scene.things)), *map(str, colours)]
    return zlib.crc32("/".join(kinds).encode()) % HELD_OUT == 0


@dataclass(frozen=True, slots=True)
class Mix:
    """How often (0..1) a drawn scene has each feature."""

    empty: float = 0.015
    pair: float = 0.42
    several: float = 0.2  # two or three of a kind
    trio: float = 0.03  # two of one kind and another thing
    above: float = 0.3  # of pairs
    coloured: float = 0.25
    styled: float = 0.35
    sized: float = 0.16
    white: float = 0.2  # over and above its share of the backgrounds
    degraded: float = 0.03
    held_out: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """Draws scenes that the sprites can show."""

    offers: Offers
    mix: Mix = field(default_factory=Mix)

    def draw(self, rng: random.Random) -> Scene:
        """Draw a scene, held out or not as the mix says."""
        while True:
            scene = self._draw(rng)
            if self.fits(scene) and (not scene.things or self.allowed(scene)):
                return scene

    def allowed(self, scene: Scene) -> bool:
        """Whether this side of the split may have the scene."""
        return is_held_out(scene) == self.mix.held_out

    def fits(self, scene: Scene) -> bool:
        """Whether one artist has all of it, in the style that it asks for."""
        wanted = [SETS.index(name) for name in STYLES.get(scene.style or "", SETS)]
        return not scene.things or any(
            all(which in self.offers.sets(t.noun, t.colour) for t in scene.things)
            for which in wanted
        )

    def near(self, scene: Scene, rng: random.Random) -> Scene:
        """Draw a scene that differs in one thing that words tell: place, kind, colour, number."""
        for _ in range(40):
            changed = self._changed(scene, rng)
            if (
                changed.meaning != scene.meaning
                and self.fits(changed)
                and (self.allowed(changed) or not changed.things)
            ):
                return changed
        return self.draw(rng)

    def _draw(self, rng: random.Random) -> Scene:
        mix = self.mix
        background = "white" if rng.random() < mix.white else rng.choice(BACKGROUNDS)
        which, style = rng.random(), None
        if rng.random() < mix.styled:
            style = rng.choice(list(STYLES))
        degraded = rng.choice(DEGRADED[1:]) if rng.random() < mix.degraded else ""
        if which < mix.empty:
            return Scene(background)
        if (which := which - mix.empty) < mix.pair:
            arrangement = "above" if rng.random() < mix.above else "beside"
            kinds = rng.sample(range(len(NOUNS)), 2)
            things = [self._thing(noun, 2, rng) for noun in kinds]
        elif (which := which - mix.pair) < mix.several:
            things, arrangement = self._several(rng)
        elif which - mix.several < mix.trio:
            two, one = rng.sample([i for i, n in enumerate(NOUNS) if n.countable], 2)
            things = [Thing(two, size=SIZES[3][1])] * 2 + [Thing(one, size=SIZES[3][1])]
            arrangement = "row"
        else:
            things, arrangement = [self._thing(rng.randrange(len(NOUNS)), 1, rng)], "one"
        return Scene(background, tuple(things), arrangement, style, degraded)

    def _several(self, rng: random.Random) -> tuple[list[Thing], str]:
        noun = rng.choice([i for i, each in enumerate(NOUNS) if each.countable])
        n = rng.choice((2, 3))
        thing = self._thing(noun, n, rng)
        places = ("beside", "beside", "above") if n == 2 else ("row", "triangle")
        return [thing] * n, rng.choice(places)

    def _thing(self, noun: int, n_things: int, rng: random.Random) -> Thing:
        colour, size = -1, 1
        offered = self.offers.colours(noun)
        if offered and rng.random() < self.mix.coloured:
            colour = rng.choice(offered)
        if rng.random() < self.mix.sized:
            size = rng.choice((0, 2))
        return Thing(noun, colour, SIZES[n_things][size])

    def _changed(self, scene: Scene, rng: random.Random) -> Scene:
        things, way = list(scene.things), rng.random()
        values = (scene.background, scene.arrangement, scene.style, scene.degraded)
        background, arrangement, style, degraded = values
        if len(scene.counts) == 2 and way < 0.6:
            things.reverse()
        elif not things or way < 0.2:
            background = rng.choice(BACKGROUNDS)
        elif len(scene.counts) == 1 and NOUNS[things[0].noun].countable and way < 0.4:
            n = rng.choice([k for k in (1, 2, 3) if k != len(things)])
            things = [Thing(things[0].noun, things[0].colour, SIZES[n][1])] * n
            arrangement = {1: "one", 2: "beside", 3: "row"}[n]
        elif way < 0.6:
            style = rng.choice([each for each in STYLES if each != style])
        elif way < 0.8 and (offered := self.offers.colours(things[0].noun)):
            first = things[0]
            new = Thing(first.noun, rng.choice(offered), first.size)
            things = [new if t == first else t for t in things]
        else:
            first, noun = things[0], rng.randrange(len(NOUNS))
            new = Thing(noun, size=first.size)
            things = [new if t == first else t for t in things]
        if len(things) > 1 and any(not NOUNS[t.noun].countable for t, n in _kinds(things) if n > 1):
            return scene
        return Scene(background, tuple(things), arrangement, style, degraded)


def _kinds(things: list[Thing]) -> list[tuple[Thing, int]]:
    return Scene(things=tuple(things)).counts


def colour_name(colour: int) -> str:
    """The name of a thing's colour by its index; "" for its own."""
    return COLOUR_NAMES[colour] if colour >= 0 else ""
