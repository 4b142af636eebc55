"""How a scene becomes a caption, in any language: a `Language` is the tables, and what differs.

A prompt without a background means white. Every caption is a prompt in the a1111 dialect.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .first_edition import WEIGHT_POWER, WEIGHTS
from .world import SIZES, Scene, Thing

Templates = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Habits:
    """How often (0..1) captions have each feature."""

    open: float = 0.45  # before white: no background is named
    filler: float = 0.3
    strange: float = 0.05
    weighted: float = 0.1  # a thing; and, where a tag says the style, that tag
    misspelt: float = 0.05
    unknown: float = 0.015  # a noun that the tower cannot read
    long: float = 0.0
    held_out: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """A prompt, the scene that it means, and by what its weights multiply each thing's size.

    `named` is whether the background is; of a silent one the prompt says only how bad it looks.
    """

    prompt: str
    scene: Scene
    scale: tuple[float, ...] = ()
    named: bool = True
    silent: bool = False


@dataclass(frozen=True)
class Language:
    """The tables of a language, and how its captions are put together.

    Args:
        templates: phrasings by kind; {n} {m} are the first and the second thing, {a} {b} with
            article or number, {c} the background's colour. Those under "held out ..." only
            evaluation uses.
        styles: by style what is said before a thing, in front of its noun, and as a tag.
        filler: tags that say nothing about the scene; `strange`: words the tower never learns.
        degraded: what people say of bad pictures.
    """

    templates: Templates
    styles: Mapping[str, Mapping[str, Sequence]]  # type: ignore[type-arg]
    filler: Sequence[str]
    strange: Sequence[str]
    degraded: Mapping[str, Sequence[str]]
    held_out: Templates = field(default_factory=dict)
    emoji_marks: Sequence[str] = ("emoji",)  # templates with these say the style "emoji"

    def phrase(self, thing: Thing, n: int, rng: random.Random, word: str) -> tuple[str, str]:
        """A kind of thing with its article or number, and bare; `word` is its noun."""
        raise NotImplementedError

    def noun(self, thing: Thing, n: int, rng: random.Random, habits: Habits) -> str:
        """A name for a kind of thing."""
        raise NotImplementedError

    def background(self, colour: str, rng: random.Random) -> str:
        """A word for the background's colour."""
        return colour

    def joined(self, tags: Sequence[str], rng: random.Random) -> str:
        """Tags in a row."""
        return ", ".join(tags)

    def adjective(self, style: str, word: str) -> str:
        """A noun behind a word for its style."""
        return f"{style} {word}"

    def weighted(self, text: str, weight: float, rng: random.Random) -> str:
        """Text at a weight."""
        return f"({text}:{weight:.2f})"

    def finished(self, text: str, rng: random.Random) -> str:
        """A prompt as it is typed."""
        return text

    def kinds(self, scene: Scene, *, is_open: bool) -> list[str]:
        """Which pools of templates fit a scene."""
        if not scene.things:
            return ["empty"]
        if len(scene.counts) == 1:
            return ["single white" if is_open else "single"]
        if scene.arrangement == "above":
            return ["above white" if is_open else "above"]
        return ["pair white"] if is_open else ["ordered", "placed"]

    def fitting(self, scene: Scene, *, is_open: bool, held_out: bool) -> list[Sequence[str]]:
        """Pools of templates that are true of a scene."""
        pools = self.held_out if held_out else self.templates
        n = max((n for _, n in scene.counts), default=1)
        found = []
        for kind in self.kinds(scene, is_open=is_open):
            pool = [t for t in pools[kind] if self.is_true(t, scene, n)]
            found.append(pool)
        return [pool for pool in found if pool]

    def is_true(self, template: str, scene: Scene, n: int) -> bool:
        """Whether a template's own words fit the scene: its number and its style."""
        says = any(mark in template for mark in self.emoji_marks)
        return (not says or scene.style == "emoji") and (n == 1 or not self.singular(template))

    def singular(self, template: str) -> bool:
        """Whether a template speaks of one thing only."""
        return False

    def describe(self, scene: Scene, rng: random.Random, habits: Habits) -> Said:
        """Say a scene."""
        is_open = scene.background == "white" and rng.random() < habits.open
        is_open = is_open and not habits.held_out
        style = scene.style if scene.things else None
        in_front = style if len(scene.counts) == 1 and rng.random() < 0.3 else None
        words, scale = self._words(scene, rng, habits, in_front)
        pools = self.fitting(scene, is_open=is_open, held_out=habits.held_out)
        template = rng.choice(rng.choice(pools))
        if in_front or any(mark in template for mark in self.emoji_marks):
            style = None
        tags: list[str] = []
        if style:
            words, tags = self._styled(style, words, rng)
            if tags and rng.random() < habits.weighted:
                weight = round(rng.uniform(*WEIGHTS), 2)
                tags = [self.weighted(tags[0], weight, rng)]
                scene = self.loosened(scene, weight, rng)
        text = template.format(**words, c=self.background(scene.background, rng))
        silent = bool(scene.degraded) and rng.random() < 0.4  # as negative prompts are
        text = self.finished("" if silent else text, rng)
        text = self._dressed(text, [] if silent else tags, scene, rng, habits)
        return Said(text, scene, scale, "{c}" in template, silent)

    def loosened(self, scene: Scene, weight: float, rng: random.Random) -> Scene:
        """The scene with its style or, the more often the lower the weight, with another artist's.

        So a style that weighs little is a wish that often is not met, and the UNet learns degrees.
        """
        odds = max(0.0, 1 - weight) / (1 - WEIGHTS[0])
        return replace(scene, style=None) if rng.random() < odds else scene

    def _words(
        self, scene: Scene, rng: random.Random, habits: Habits, style: str | None
    ) -> tuple[dict[str, str], tuple[float, ...]]:
        kinds = scene.counts
        heavy = rng.randrange(len(kinds)) if kinds and rng.random() < habits.weighted else -1
        words: dict[str, str] = {}
        scales: dict[Thing, float] = {}
        for i, ((thing, n), (with_number, bare)) in enumerate(
            zip(kinds, (("a", "n"), ("b", "m")), strict=False)
        ):
            word = self.noun(thing, n, rng, habits)
            weight = 1.0
            if i == heavy and thing.size == SIZES[len(scene.things)][1]:
                weight = round(rng.uniform(*WEIGHTS), 2)
                word = self.weighted(word, weight, rng)
            scales[thing] = weight**WEIGHT_POWER
            if style:
                word = self.adjective(rng.choice(self.styles[style]["adjective"]), word)
            words[with_number], words[bare] = self.phrase(thing, n, rng, word)
        return words, tuple(scales.get(thing, 1.0) for thing in scene.things)

    def _styled(
        self, style: str, words: dict[str, str], rng: random.Random
    ) -> tuple[dict[str, str], list[str]]:
        """Say a style before the only kind of thing, or as a tag."""
        table = self.styles[style]
        if "b" in words or rng.random() < 0.5:
            return words, [rng.choice(table["tag"])]
        article, prefix = rng.choice(table["prefix"])
        said = prefix.format(**words)
        return {"a": f"{article}{said}", "n": said}, []

    def _dressed(
        self, text: str, tags: list[str], scene: Scene, rng: random.Random, habits: Habits
    ) -> str:
        before: list[str] = []
        behind = list(tags)
        if scene.degraded:
            behind += rng.sample(self.degraded[scene.degraded], rng.randint(1, 3))
        if rng.random() < habits.filler:
            where = rng.randrange(4)
            before += rng.sample(self.filler, rng.randint(1, 3)) if where < 2 else []
            behind += rng.sample(self.filler, rng.randint(1, 4)) if where else []
        if rng.random() < habits.strange:
            behind.append(" ".join(rng.sample(self.strange, rng.randint(1, 3))))
        rng.shuffle(behind)
        if len(behind) == 1 and rng.random() < 0.4:
            before, behind = [*before, *behind], []
        return self.joined([tag for tag in (*before, text, *behind) if tag], rng)

    def words(self) -> list[str]:
        """Every piece of text that captions are made of, but strange words and what is held out."""
        texts = [*self.filler, *(word for words in self.degraded.values() for word in words)]
        for style in self.styles.values():
            texts += [*style["adjective"], *style["tag"]]
            texts += [f"{article}{said.format(a='')}" for article, said in style["prefix"]]
        letters = dict.fromkeys("abnmc", "")
        texts += [t.format(**letters) for pool in self.templates.values() for t in pool]
        return [*texts, ", . ( ) : BREAK"]

    def lengthened(self, text: str, rng: random.Random, n_words: int) -> str:
        """Text among `n_words` words of filler, now and then with BREAK between."""
        tags: list[str] = []
        while sum(map(self.length, tags)) < n_words:
            tags.append(rng.choice(self.filler))
        at = rng.randint(0, len(tags)) if rng.random() < 0.6 else len(tags)
        if rng.random() < 0.2:
            rest = self.joined(tags[: len(tags) // 4 + 1], rng)
            return f"{rest} BREAK {text}" if rng.random() < 0.6 else f"{text} BREAK {rest}"
        return self.joined([*tags[:at], text, *tags[at:]], rng)

    def length(self, tag: str) -> int:
        """How many tokens a tag has, about."""
        return len(tag.split()) + 1


def size_class(thing: Thing) -> int:
    """-1 for a small thing, 1 for a large one, else 0."""
    if any(thing.size == small for small, _, _ in SIZES.values()):
        return -1
    return int(any(thing.size == large for _, _, large in SIZES.values()))
