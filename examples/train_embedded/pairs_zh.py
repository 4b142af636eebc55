"""Write scenes in plain English and in Chinese as it is typed: pairs for `clipcond align`.

One JSON object a line, {"teacher": English, "tower": Chinese}.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from captions import ENGLISH
from captions_zh import CHINESE, OFTEN_MIXED
from phrasing import Language, Mix, Said, Sample, draw_things

FILLED = "masterpiece, best quality"  # a chunk that says nothing, in English


def plain(background: str | None, nouns: Sequence[int], said: Sequence[Said]) -> str:
    """A scene in English, always in the same few words, sizes and weights included.

    What an adapter has to match is then a matter of the scene alone: neither tags that say nothing
    nor the choice of a phrase, which no Chinese prompt could tell, move it. A background that the
    Chinese leaves open (None) is left open: one that is said cannot be negated away.
    """
    rng = random.Random(0)
    things = []
    for noun, claim in zip(nouns, said, strict=True):
        text = ENGLISH.names[noun][0]
        if claim.size:
            text = ENGLISH.sized(ENGLISH.sizes[claim.size][0], text)
        if claim.weight is not None:
            text = ENGLISH.weighted(text, claim.weight, rng)
        things.append(ENGLISH.with_article(text, noun, rng))
    place = f"{background} background"
    if not things:
        return place
    text = " left of ".join(things)
    return text if background is None else f"{text} on a {place}"


def lengthened(plain: str, chinese: str, rng: random.Random) -> tuple[str, str]:
    """English and Chinese in two chunks: one says what is in the scene, one says nothing.

    The same chunk says the same on both sides, for chunks are adapted one by one.
    """
    if rng.random() < 0.3:
        filler, join = CHINESE.joined(CHINESE.tags(rng.randint(6, 20), rng), rng), CHINESE.broken
    else:
        filler, join = CHINESE.joined(CHINESE.tags(CHINESE.n_words[2][1], rng), rng), _joined
    if rng.random() < 0.6:
        return f"{FILLED} BREAK {plain}", join(filler, chinese, rng)
    return f"{plain} BREAK {FILLED}", join(chinese, filler, rng)


def _joined(before: str, behind: str, rng: random.Random) -> str:
    return CHINESE.joined([before, behind], rng)


def both(rng: random.Random, mix: Mix, language: Language = CHINESE) -> tuple[Sample, Sample]:
    """One scene in plain English and in `language`: the same things, sizes, weights, background."""
    background, nouns = draw_things(rng, mix)
    chinese = language.describe(background, nouns, rng, mix)
    named = background if chinese.named else None
    texts = plain(named, nouns, chinese.said), chinese.prompt
    if rng.random() < mix.long:
        texts = lengthened(*texts, rng)
    return replace(chinese, prompt=texts[0]), replace(chinese, prompt=texts[1])


def halves(rng: random.Random, mix: Mix, language: Language = CHINESE) -> tuple[Sample, Sample]:
    """Draw a scene with BREAK between things and background, 一只猫BREAK绿色背景.

    The English, other than in `lengthened`, has all of it in one chunk: said in halves, the English
    tower mostly leaves the background white.
    """
    background, nouns = draw_things(rng, replace(mix, empty=0.0))
    things = language.describe("white", nouns, rng, replace(mix, open=1.0))
    place = language.describe(background, [], rng, mix)
    parts = [things.prompt, place.prompt]
    if rng.random() < 0.3:
        parts.reverse()
    english = f"{plain(background, nouns, things.said)} BREAK {FILLED}"
    sample = replace(things, scene=replace(things.scene, background=background), named=True)
    return replace(sample, prompt=english), replace(sample, prompt=CHINESE.broken(*parts, rng))


@dataclass(frozen=True, slots=True)
class Shares:
    """How often (0..1) a pair's Chinese side has English words between, or says the scene in
    English; and, of all, how often it comes in two halves.
    """

    mixed: float = 0.0
    english: float = 0.0
    halves: float = 0.0

    def drawn(self, rng: random.Random, mix: Mix) -> tuple[Sample, Sample]:
        """One pair."""
        language: Language = CHINESE
        which = rng.random() if self.mixed or self.english else 1.0
        if which < self.mixed:
            language = OFTEN_MIXED
        elif which < self.mixed + self.english:
            language = ENGLISH
        if self.halves and rng.random() < self.halves:
            return halves(rng, mix, language)
        return both(rng, mix, language)


PAIRS_MIX = Mix(pair=0.7, sized=0.15, weighted=0.18, filler=0.3, long=0.1, jitter=False)


def pairs(
    n: int, seed: int, mix: Mix = PAIRS_MIX, shares: Shares | None = None
) -> Iterator[dict[str, str]]:
    """`n` pairs as `clipcond align` reads them, the same for the same seed."""
    rng, shares = random.Random(f"pairs {seed}"), shares or Shares()
    for _ in range(n):
        english, chinese = shares.drawn(rng, mix)
        yield {"teacher": english.prompt, "tower": chinese.prompt}


def main() -> None:
    """Write pairs, one JSON object a line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pair", type=float, default=PAIRS_MIX.pair, help="share of two things")
    parser.add_argument("--empty", type=float, default=PAIRS_MIX.empty, help="and of none")
    parser.add_argument("--open", type=float, default=PAIRS_MIX.open, help="background left open")
    parser.add_argument("--mixed", type=float, default=0.0, help="with English words between")
    parser.add_argument("--english", type=float, default=0.0, help="scenes said in English")
    parser.add_argument("--halves", type=float, default=0.0, help="things BREAK background")
    parser.add_argument("-o", "--out", type=Path, default=Path("pairs.jsonl"))
    options = parser.parse_args()
    mix = replace(PAIRS_MIX, pair=options.pair, empty=options.empty, open=options.open)
    shares = Shares(options.mixed, options.english, options.halves)
    with options.out.open("w", encoding="utf-8", newline="\n") as file:
        for pair in pairs(options.n, options.seed, mix, shares):
            print(json.dumps(pair, ensure_ascii=False), file=file)
    print(f"{options.n} pairs in {options.out}")


if __name__ == "__main__":
    main()
