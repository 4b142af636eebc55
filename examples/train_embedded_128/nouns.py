"""The nouns: those of the first edition, then nouns.tsv's; how they are called and counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .first_edition import emoji_world, names_zh

TABLE = Path(__file__).parent / "nouns.tsv"  # emoji, English names, measure word, Chinese names

# What people ask for in other colours than it has; whether an artist's drawing can be recoloured
# is measured (`colouring.main_part`).
OFTEN_COLOURED = frozenset(
    "cat|dog|mouse|rabbit|fox|bear|pig|frog|owl|horse|butterfly|snail|turtle|snake|octopus|crab"
    "|fish|whale|elephant|apple|pear|grapes|cherry|mushroom|donut|cake|egg|car|taxi|bus|tractor"
    "|bicycle|rocket|boat|train|guitar|drum|phone|lamp|key|books|balloon|gift|crown|diamond"
    "|umbrella|house|tree|rose|moon|star|fire|heart|ghost|robot|alien|clock|hat|shoe|smiley"
    "|bird|parrot|dragon|dinosaur|spider|bell pepper|cupcake|lollipop|candy|teapot|motorcycle"
    "|truck|ship|ufo|tulip|cloud|drop|kite|violin|headphones|bell|lock|pencil|envelope|box|chair"
    "|sofa|door|teddy bear|cap|shirt|dress|boot|ring|handbag|backpack|circle|square|bomb"
    "|planet|maple leaf|shield".split("|")
)
# Said without an article, and never counted.
PLURALS = frozenset(
    "grapes|books|scissors|glasses|headphones|blueberries|noodles|french fries".split("|")
)
UNCOUNTED = frozenset(
    "bread cheese corn fire popcorn chocolate beer wine milk sun lightning".split(" ")
)
IRREGULAR = {"mouse": "mice", "fish": "fish", "sheep": "sheep", "deer": "deer", "wolf": "wolves"}
IRREGULAR |= {"leaf": "leaves", "goldfish": "goldfish", "puppy": "puppies", "die": "dice"}
IRREGULAR |= {"policeman": "policemen", "snowman": "snowmen", "dice": "dice"}


@dataclass(frozen=True, slots=True)
class Noun:
    """A kind of thing: its emoji, its names in both languages, and what Chinese counts it in."""

    emoji: str
    names: tuple[str, ...]
    measure: str
    chinese: tuple[str, ...]
    often_coloured: bool

    @property
    def codes(self) -> str:
        """The emoji's code points, as file names have them: `1f431`."""
        return "-".join(f"{ord(each):x}" for each in self.emoji)

    @property
    def countable(self) -> bool:
        """Whether two or three of it are asked for."""
        return self.names[0] not in PLURALS | UNCOUNTED


def plural(name: str) -> str:
    """Write several of a thing: `mice`, `fire trucks`, `cherries`."""
    before, _, last = name.rpartition(" ")
    return f"{before} {_plural(last)}".strip()


def _plural(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith(("s", "sh", "ch", "x")) or word in ("tomato", "mango", "potato"):
        return f"{word}es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}s"


def _read() -> tuple[Noun, ...]:
    rows = [
        (noun.emoji, noun.names, measure, names)
        for noun, measure, names in zip(
            emoji_world.NOUNS, names_zh.MEASURES, names_zh.NAMES, strict=True
        )
    ]
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        emoji, names, measure, chinese = line.split("\t")
        rows.append((emoji, tuple(names.split("|")), measure, tuple(chinese.split("|"))))
    return tuple(Noun(*row, often_coloured=row[1][0] in OFTEN_COLOURED) for row in rows)


NOUNS = _read()
