"""Draw prompts with the model, and count what the judge sees in the pictures."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .captioning import Habits
from .captions import ENGLISH, English
from .captions_zh import CHINESE, MIXED, Chinese
from .judging import border_colours, halves, whole
from .models import Judge
from .nouns import NOUNS
from .render import STYLE_NAMES
from .sprites import Offers
from .world import Mix, Places, Scene

BATCH = 32  # pictures at once
FRESH = Habits(open=0.0, filler=0.3, strange=0.0, weighted=0.0, misspelt=0.0, unknown=0.0)
NOTHING = Mix(
    empty=0, pair=0, several=0, trio=0, coloured=0, styled=0, sized=0, degraded=0, white=0
)
DRAWN = 0.01  # of the pixels away from the background: something is there
AWAY = 0.3  # of the range of a colour


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: scenes of a mix, said in a way, and what counts.

    Args:
        draw: rows with the same have the same scenes and noise.
        chunks: 2 = the scene is said in the second chunk.
    """

    name: str
    mix: Mix
    clip_skip: int = 2
    chunks: int = 1
    habits: Habits = FRESH
    draw: str = ""


def rows() -> list[Row]:
    """All rows of the table."""
    held_out = replace(NOTHING, held_out=True)
    pairs = replace(held_out, pair=1.0, above=0.0)
    misspelt = replace(FRESH, misspelt=1.0)
    return [
        Row("one", held_out, draw="one"),
        Row("one, clip skip 1", held_out, 1, draw="one"),
        Row("one, second chunk", held_out, chunks=2, draw="one"),
        Row("one, misspelt", held_out, habits=misspelt, draw="one"),
        Row("pair", pairs, draw="pair"),
        Row("pair, clip skip 1", pairs, 1, draw="pair"),
        Row("above", replace(pairs, above=1.0)),
        Row("count", replace(held_out, several=2 / 3)),
        Row("style", replace(held_out, styled=1.0)),
        Row("colour", replace(held_out, coloured=1.0)),
    ]


LANGUAGES: dict[str, English | Chinese] = {
    "en": ENGLISH,
    "zh": CHINESE,
    "mixed": MIXED,
    "minilm": ENGLISH,
}


def asked(row: Row, n: int, offers: Offers, language: str) -> list[tuple[str, Scene]]:
    """Held-out scenes in held-out phrasings: prompt and scene, the same scenes in all languages."""
    draw = row.draw or row.name
    rng, places = random.Random(f"evaluation {draw}"), Places(offers, row.mix)
    words = random.Random(f"evaluation {draw} {row.name} {language}")
    speaker, found = LANGUAGES[language], []
    habits = replace(row.habits, held_out=True)
    while len(found) < n:
        scene = places.draw(rng)
        if row.name == "colour" and scene.things[0].colour < 0:
            continue
        text = speaker.describe(scene, words, habits).prompt
        if row.chunks == 2:
            text = speaker.behind_filler(text, words)
        found.append((text, scene))
    return found


def pictures(  # type: ignore[no-untyped-def]
    pipe, prompts: Sequence[str], seed: int, guidance: float | None = None, steps: int = 20, **call
) -> Tensor:
    """Pictures [n 3 SIZE SIZE] in -1..1; picture i has seed `seed + i`."""
    if guidance is not None:
        call["guidance_scale"] = guidance
    made = []
    for start in range(0, len(prompts), BATCH):
        some = list(prompts[start : start + BATCH])
        generators = [torch.Generator().manual_seed(seed + start + i) for i in range(len(some))]
        images = pipe(
            some, generator=generators, num_inference_steps=steps, output_type="pt", **call
        ).images
        made.append(images.float().cpu() * 2 - 1)
    return torch.cat(made)


def something_drawn(images: Tensor) -> Tensor:
    """Whether each picture [n 3 H W] has more than its background: bool [n]."""
    border = torch.cat([images[:, :, :3].flatten(2), images[:, :, -3:].flatten(2)], 2)
    middle = border.median(2).values[..., None, None]
    away = (images - middle).abs().amax(1) > AWAY
    return away.float().mean((1, 2)) > DRAWN


@torch.no_grad()
def measure(images: Tensor, scenes: Sequence[Scene], judge: Judge) -> dict[str, float]:
    """The share of pictures in which each claim of their scenes holds.

    Scenes are all of one kind of thing, or all pairs. Claims that no scene makes are left out.
    """
    colours = border_colours(images)
    right = {"background": [c == s.background for c, s in zip(colours, scenes, strict=True)]}
    right["drawn"] = something_drawn(images).tolist()
    if len(scenes[0].counts) == 2:
        above = scenes[0].arrangement == "above"
        views = halves(images, above=above)
        seen = judge(views.flatten(0, 1))["noun"].argmax(1).view(-1, 2).tolist()
        wanted = [[thing.noun for thing, _ in scene.counts] for scene in scenes]
        right["both"] = [sorted(a) == sorted(b) for a, b in zip(seen, wanted, strict=True)]
        both = [(a, b) for a, b in zip(seen, wanted, strict=True) if sorted(a) == sorted(b)]
        right["order"] = [a == b for a, b in both]
    else:
        found = {head: x.argmax(1).tolist() for head, x in judge(whole(images)).items()}
        for i, scene in enumerate(scenes):
            thing = scene.things[0]
            claims = {
                "object": found["noun"][i] == thing.noun,
                "count": found["count"][i] + 1 == len(scene.things),
            }
            if scene.style:
                claims["style"] = STYLE_NAMES[found["style"][i]] == scene.style
            if thing.colour >= 0:
                claims["colour"] = found["colour"][i] == thing.colour
            for name, claim in claims.items():
                right.setdefault(name, []).append(claim)
    return {name: round(sum(each) / len(each), 4) for name, each in right.items() if each}


def measure_row(  # type: ignore[no-untyped-def]
    row: Row, n: int, pipe, judge: Judge, offers: Offers, language: str = "en", **call
) -> tuple[dict[str, float], Tensor]:
    """One row in one language: the shares, and the pictures."""
    both = asked(row, n, offers, language)
    seed = zlib.crc32((row.draw or row.name).encode()) % 2**20
    images = pictures(pipe, [p for p, _ in both], seed, clip_skip=row.clip_skip, **call)
    return measure(images, [scene for _, scene in both], judge), images


def noun_index(name: str) -> int:
    """The index of a noun by its first English name."""
    return next(i for i, noun in enumerate(NOUNS) if noun.names[0] == name)
