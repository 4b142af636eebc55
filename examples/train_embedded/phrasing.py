"""How scenes become prompts, in any language: a `Language` is the tables, and what differs.

Every caption is a prompt in the a1111 dialect. Two rules keep the world simple: a prompt without a
background means white, and of two things the first named is left unless the words say otherwise.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from world import COLOURS, LARGE, NOUNS, ONE, PAIR, PAIR_LARGE, PAIR_SMALL, SMALL, Scene, place

WEIGHTS = (0.3, 1.6)  # emphasis drawn for training: a heavier thing is drawn larger
WEIGHT_POWER = 0.5  # size ~ weight ** WEIGHT_POWER
PIXELS = {1: {-1: SMALL, 0: ONE, 1: LARGE}, 2: {-1: PAIR_SMALL, 0: PAIR, 1: PAIR_LARGE}}


@dataclass(frozen=True, slots=True)
class Said:
    """What a prompt says of a thing besides its name: size -1, 0 or 1 = small, none, large."""

    size: int = 0
    weight: float | None = None

    def pixels(self, n_things: int) -> int:
        """How large it is drawn; the weight's size takes the place of the word's."""
        if self.weight is None:
            return PIXELS[n_things][self.size]
        return round(PIXELS[n_things][0] * self.weight**WEIGHT_POWER)


@dataclass(frozen=True, slots=True)
class Sample:
    """A prompt, the scene it asks for, and what it says of each thing there, left first.

    `named` says whether the prompt names the background, or leaves it to be white.
    """

    prompt: str
    scene: Scene
    said: tuple[Said, ...] = ()
    named: bool = True


@dataclass(frozen=True, slots=True)
class Mix:
    """How often (0..1) a sampled prompt has each feature; `open`: of those before white, how often
    they name no background.
    """

    pair: float = 0.6
    empty: float = 0.015
    open: float = 0.4
    sized: float = 0.2
    weighted: float = 0.0
    filler: float = 0.35
    strange: float = 0.06
    long: float = 0.0
    held_out: bool = False
    jitter: bool = True


@dataclass(frozen=True, slots=True)
class Templates:
    """Phrasings: {n} {m} are the left and the right thing, {a} {b} with article, {c} the colour.

    `white` names no background; `placed` says where the things are, `ordered` only names them.
    """

    single: Sequence[str]
    single_white: Sequence[str]
    ordered: Sequence[str]
    placed: Sequence[str]
    pair_white: Sequence[str]
    empty: Sequence[str]
    held_out_single: Sequence[str]
    held_out_ordered: Sequence[str]
    held_out_placed: Sequence[str]

    def pools(self, n_things: int, *, held_out: bool, white: bool) -> tuple[Sequence[str], ...]:
        """Where a prompt's phrasing is drawn from: a pool first, then one of it."""
        if held_out:
            pair = (self.held_out_ordered, self.held_out_placed)
            return (self.held_out_single,) if n_things == 1 else pair
        if white:
            return (self.single_white,) if n_things == 1 else (self.pair_white,)
        return (self.single,) if n_things == 1 else (self.ordered, self.placed)

    def trained(self) -> list[str]:
        """All but those held out."""
        pools = (self.single, self.single_white, self.ordered, self.placed, self.pair_white)
        return [template for pool in (*pools, self.empty) for template in pool]

    def held_out(self) -> list[str]:
        """Those that only evaluation uses."""
        pools = (self.held_out_single, self.held_out_ordered, self.held_out_placed)
        return [template for pool in pools for template in pool]


@dataclass(frozen=True)
class Language:
    """The words of a language; the methods here are English, others override them.

    Args:
        names: of every noun of the world, the usual one first.
        colours: the words for each colour of the world, likewise.
        filler: tags that say nothing about the scene.
        strange: ordinary words that the tower never learns. A few are in the training prompts,
            so that a picture survives a word the model cannot read.
        sizes: the words for -1 (small) and 1 (large).
    """

    templates: Templates
    names: Sequence[Sequence[str]]
    colours: dict[str, Sequence[str]]
    filler: Sequence[str]
    strange: Sequence[str]
    sizes: dict[int, Sequence[str]]

    # Words of a prompt of one chunk that is long, of two chunks, of three.
    n_words: ClassVar[dict[int, tuple[int, int]]] = {1: (15, 32), 2: (90, 120), 3: (170, 200)}

    def count(self, tag: str) -> int:
        """How long a tag is, in the unit of `n_words`, its comma included."""
        return len(tag.split()) + 1

    def name(self, noun: int, rng: random.Random) -> str:
        """One of the names, mostly the first."""
        names = self.names[noun]
        return names[0] if len(names) == 1 or rng.random() < 0.7 else rng.choice(names[1:])

    def coloured(self, noun: int, text: str, rng: random.Random) -> str:
        """`text` behind the colour that people say with this noun."""
        return f"{NOUNS[noun].colour} {text}"

    def sized(self, word: str, text: str) -> str:
        """`text` behind a word for its size."""
        return f"{word} {text}"

    def weighted(self, text: str, weight: float, rng: random.Random) -> str:
        """`text` at a weight."""
        return f"({text}:{weight:.2f})"

    def with_article(self, text: str, noun: int, rng: random.Random) -> str:
        """`text` behind "a" or "an"."""
        return ("an " if text.lstrip("(")[0] in "aeiou" and text != "unicorn" else "a ") + text

    def colour(self, background: str, rng: random.Random) -> str:
        """A word for the background."""
        return background

    def joined(self, tags: Sequence[str], rng: random.Random) -> str:
        """Tags in a row."""
        return ", ".join(tags)

    def broken(self, before: str, behind: str, rng: random.Random) -> str:
        """Two texts with BREAK between them."""
        return f"{before} BREAK {behind}"

    def strangers(self, rng: random.Random) -> str:
        """One to three strange words."""
        return " ".join(rng.sample(self.strange, rng.randint(1, 3)))

    def finished(self, text: str, rng: random.Random) -> str:
        """A phrase as it is typed."""
        return text

    def describe(
        self,
        background: str,
        nouns: list[int],
        rng: random.Random,
        mix: Mix,
        template: str | None = None,
        said: Sequence[Said] | None = None,
    ) -> Sample:
        """A prompt for these things on this background, and the scene that it means.

        Args:
            template: the phrasing; drawn by default.
            said: sizes and weights; drawn by default.
        """
        n = len(nouns)
        white = background == "white" and rng.random() < mix.open and not mix.held_out
        if n == 0:
            text = rng.choice(self.templates.empty).format(c=self.colour(background, rng))
            return Sample(self.finished(text, rng), place(background, [], []))
        if template is None:
            pools = self.templates.pools(n, held_out=mix.held_out, white=white)
            template = rng.choice(rng.choice(pools))
        heavy = rng.randrange(n) if said is None and rng.random() < mix.weighted else -1
        names, drawn = [], []
        for i, noun in enumerate(nouns):
            given = None if said is None else said[i]
            text, claim = self._named(noun, rng, mix, given, is_heavy=i == heavy)
            names.append(text)
            drawn.append(claim)
        words = {"n": names[0], "a": self.with_article(names[0], nouns[0], rng)}
        if n == 2:
            words |= {"m": names[1], "b": self.with_article(names[1], nouns[1], rng)}
        text = template.format(**words, c=self.colour(background, rng))
        text = self._dressed(self.finished(text, rng), rng, mix)
        sizes = [claim.pixels(n) for claim in drawn]
        scene = place(background, nouns, sizes, rng if mix.jitter else None)
        return Sample(text, scene, tuple(drawn), named="{c}" in template)

    def _named(
        self, noun: int, rng: random.Random, mix: Mix, said: Said | None, *, is_heavy: bool
    ) -> tuple[str, Said]:
        """A thing's name with its size or weight."""
        if said is not None:
            size = said.size
        else:
            size = 0 if rng.random() >= mix.sized else -1 if rng.random() < 0.5 else 1
        word = rng.choice(self.sizes[size]) if size else ""
        if said is None:
            weight = round(rng.uniform(*WEIGHTS), 2) if is_heavy else None
            said = Said(0 if is_heavy else size, weight)
        text = self.name(noun, rng)
        if NOUNS[noun].colour and rng.random() < 0.08:
            text = self.coloured(noun, text, rng)
        if said.size:
            text = self.sized(word, text)
        return text if said.weight is None else self.weighted(text, said.weight, rng), said

    def _dressed(self, text: str, rng: random.Random, mix: Mix) -> str:
        """`text` with tags such as "best quality" before it, behind it or both; strange words."""
        if rng.random() < mix.filler:
            before = rng.sample(self.filler, rng.randint(1, 3))
            behind = rng.sample(self.filler, rng.randint(1, 4))
            where = rng.randrange(4)
            tags = [*(before if where < 2 else []), text, *(behind if where else [])]
            text = self.joined(tags, rng)
        if rng.random() < mix.strange:
            words = self.strangers(rng)
            text = self.joined([text, words] if rng.random() < 0.6 else [words, text], rng)
        return text

    def lengthened(self, text: str, rng: random.Random, n_chunks: int) -> str:
        """`text` in a prompt of `n_chunks` chunks: filler before and behind it, now and then BREAK.

        One chunk means a long prompt that still fits into one.
        """
        tags = self.tags(rng.randint(*self.n_words[n_chunks]), rng)
        at = rng.randint(0, len(tags)) if rng.random() < 0.6 else len(tags)
        if n_chunks == 2 and rng.random() < 0.3:
            half = self.joined(tags[: len(tags) // rng.randint(3, 6)], rng)
            parts = (half, text) if rng.random() < 0.6 else (text, half)
            return self.broken(*parts, rng)
        return self.joined([*tags[:at], text, *tags[at:]], rng)

    def behind_filler(self, text: str, rng: random.Random) -> str:
        """`text` in a prompt of two chunks: all of it in the second."""
        return self.joined([*self.tags(self.n_words[2][1], rng), text], rng)

    def tags(self, n_words: int, rng: random.Random) -> list[str]:
        """Tags that say nothing about a scene, `n_words` long or a little more."""
        tags, n = [], 0
        while n < n_words:
            tags.append(rng.choice(self.filler))
            n += self.count(tags[-1])
        return tags

    def sample(self, rng: random.Random, mix: Mix) -> Sample:
        """Draw a scene and a prompt for it."""
        drawn = self.describe(*draw_things(rng, mix), rng, mix)
        if rng.random() < mix.long:
            text = self.lengthened(drawn.prompt, rng, 2 if rng.random() < 0.75 else 3)
            drawn = replace(drawn, prompt=text)
        return drawn

    def known_words(self) -> list[str]:
        """Every piece of text the prompts are made of, for finding the vocabulary rows in use."""
        texts = [name for names in self.names for name in names]
        texts += [word for words in self.colours.values() for word in words]
        texts += self.filler
        templates = [*self.templates.trained(), *self.templates.held_out()]
        texts += [t.format(**dict.fromkeys("nmabc", "a")) for t in templates]
        return [*texts, *self.sizes[-1], *self.sizes[1], "a an , ."]


def draw_things(rng: random.Random, mix: Mix) -> tuple[str, list[int]]:
    """A background and none, one or two nouns."""
    background = rng.choice(list(COLOURS))
    draw = rng.random()
    n = 0 if draw < mix.empty else 2 if draw < mix.empty + mix.pair else 1
    return background, rng.sample(range(len(NOUNS)), n)
