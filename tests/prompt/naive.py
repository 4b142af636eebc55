"""Read A1111's brackets slowly and simply, to check the fast reader.

Every closing bracket multiplies everything since its opening, at once. It reads character by
character, knows no escapes, and takes quadratic time.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r":([-+]?[0-9.]+)\)")


def read(source: str) -> list[tuple[str, float]]:
    """List (text, weight) of every piece, neighbours of equal weight joined."""
    texts: list[str] = []
    weights: list[float] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}
    position = 0

    def multiply(bracket: str, factor: float) -> None:
        for index in range(opened[bracket].pop(), len(weights)):
            weights[index] *= factor

    while position < len(source):
        character = source[position]
        number = _NUMBER.match(source, position)
        position += 1
        if character in "([":
            opened[character].append(len(texts))
        elif number and opened["("]:
            position = number.end()
            multiply("(", float(number[1]))
        elif character == ")" and opened["("]:
            multiply("(", 1.1)
        elif character == "]" and opened["["]:
            multiply("[", 1 / 1.1)
        else:
            texts.append(character)
            weights.append(1.0)
    for bracket, factor in (("(", 1.1), ("[", 1 / 1.1)):
        while opened[bracket]:
            multiply(bracket, factor)

    joined: list[tuple[str, float]] = []
    for text, weight in zip(texts, weights, strict=True):
        if joined and joined[-1][1] == weight:
            joined[-1] = (joined[-1][0] + text, weight)
        else:
            joined.append((text, weight))
    return joined or [("", 1.0)]
