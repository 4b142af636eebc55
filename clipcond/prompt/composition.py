"""Split a prompt at AND into several conditions, each with a weight of its own.

    a cat :1.2 AND a dog :-0.4        a cat at 1.2, a dog at -0.4

The word AND splits anywhere, inside brackets too. A number behind a colon at the end of a part is
its weight, even where there is no AND at all: `smile :3` is `smile` at 3, `photo 16:9` is
`photo 16` at 9. Whitespace before a part stays, after it goes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from clipcond.arguments import check_arguments
from clipcond.prompt.scanner import ascii_signs, read_weight, word_pattern

_AND = {wide: re.compile(word_pattern("AND", fullwidth=wide)) for wide in (False, True)}
_WEIGHT = re.compile(r"\s*[-+]?(?:\d+\.?|\d*\.\d+)")


def compose(text: str, *, fullwidth: bool = False) -> tuple[tuple[str, float], ...]:
    """Split a prompt into its conditions; one of weight 1 where there is neither AND nor weight.

    At a step the guidance is the sum over parts of weight * (conditional - unconditional).

    Args:
        text: the prompt.
        fullwidth: whether full-width punctuation is syntax too, and `猫AND狗` holds an AND.
    Returns:
        (text, weight) of every part, in order; equal texts are not joined.
    Raises:
        PromptSyntaxError: a weight has so many digits that it is not finite.
    Source: AUTOMATIC1111 webui 1.10, modules/prompt_parser.py, get_multicond_prompt_list.
    """
    check_arguments(text=text, fullwidth=fullwidth)
    parts = find_parts(text, fullwidth=fullwidth)
    return tuple((text[start:stop], weight) for start, stop, weight in parts)


def find_parts(text: str, *, fullwidth: bool = False) -> tuple[tuple[int, int, float], ...]:
    """Find (start, stop, weight) of every condition, as in `compose`."""
    matches = list(_AND[fullwidth].finditer(text))
    starts = [0, *(match.end() for match in matches)]
    stops = [*(match.start() for match in matches), len(text)]
    signs = ascii_signs(text, fullwidth=fullwidth)
    return tuple(_part(text, signs, *place) for place in zip(starts, stops, strict=True))


def find_and(text: str, *, fullwidth: bool = False) -> int | None:
    """Find the position of the first AND; None if there is none."""
    match = _AND[fullwidth].search(text)
    return match.start() if match else None


def compose_call(text: str) -> str:
    """Write the call that splits a prompt with an AND, for a remedy; `：0.5` is a weight too."""
    is_wide = find_and(text) is None or find_parts(text) != find_parts(text, fullwidth=True)
    return f"compose(prompt{', fullwidth=True' * is_wide})"


def is_capitals(text: str, parts: Sequence[tuple[int, int, float]]) -> bool:
    """Whether a prompt is a caption all in capitals, in which AND is a word: BLACK AND WHITE CAT.

    A part with a weight, or a letter anywhere that is no capital, makes it several conditions.
    """
    unweighted = all(weight == 1.0 for *_, weight in parts)
    letters = [c for start, stop, _ in parts for c in text[start:stop] if c.isalpha()]
    return unweighted and bool(letters) and all(c.isupper() for c in letters)


def _part(source: str, signs: str, start: int, stop: int) -> tuple[int, int, float]:
    stop = start + len(source[start:stop].rstrip())
    colon = signs.rfind(":", start, stop)
    if colon < 0 or not _WEIGHT.fullmatch(signs, colon + 1, stop):
        return start, stop, 1.0
    weight = read_weight(source, colon + 1, stop, signs)
    return start, start + len(source[start:colon].rstrip()), weight
