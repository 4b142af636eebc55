"""Split a prompt at AND into several conditions, each with a weight of its own.

    a cat :1.2 AND a dog :-0.4        a cat at 1.2, a dog at -0.4

The word AND splits anywhere, inside brackets too. A number behind a colon at the end of a part is
its weight, even where there is no AND at all: `smile :3` is `smile` at 3, `photo 16:9` is
`photo 16` at 9. Whitespace before a part stays, after it goes.
"""

from __future__ import annotations

import re

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
    matches = list(_AND[fullwidth].finditer(text))
    starts = [0, *(match.end() for match in matches)]
    stops = [*(match.start() for match in matches), len(text)]
    signs = ascii_signs(text, fullwidth=fullwidth)
    return tuple(_part(text, signs, *place) for place in zip(starts, stops, strict=True))


def find_and(text: str, *, fullwidth: bool = False) -> int | None:
    """Find the position of the first AND; None if there is none."""
    match = _AND[fullwidth].search(text)
    return match.start() if match else None


def _part(source: str, signs: str, start: int, stop: int) -> tuple[str, float]:
    text = source[start:stop].rstrip()
    stop = start + len(text)
    colon = signs.rfind(":", start, stop)
    if colon < 0 or not _WEIGHT.fullmatch(signs, colon + 1, stop):
        return text, 1.0
    return source[start:colon].rstrip(), read_weight(source, colon + 1, stop, signs)
