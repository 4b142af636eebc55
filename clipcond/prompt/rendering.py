"""Render parsed prompts in any syntax, and prove by reading back that it says the same.

Words are compared as tokenizers cut them: white space between words is free, and neighbours of
equal weight may be joined.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import zip_longest

from clipcond.errors import PromptError, UnknownNameError, excerpt
from clipcond.prompt.parsing import SAME_SYNTAX, parse
from clipcond.prompt.segments import Break, Lora, Mixture, ParsedPrompt
from clipcond.prompt.writing import WRITERS, effective_parts, lora_weights, mode_and_weights

# As CLIP's tokenizer cuts them: letters, one digit, or other characters.
_WORD = re.compile(
    r"<\|(?:start|end)oftext\|>"
    r"|'(?:s|t|re|ve|m|ll|d)|[^\W\d_]+|\d|(?:[^\s\w]|_)+",
    re.IGNORECASE,
)

_NEAR = 200  # characters


def render(parsed: ParsedPrompt, syntax: str | None = None, *, exact: bool = True) -> str:
    """Write a prompt that a syntax reads as the same words at the same weights.

    White space may differ, and neighbours of equal weight may be joined; escapes are set where the
    syntax needs them. What was written is read back, so the result is either right or an error. In
    its own syntax every prompt can be written, if need be as it is in the source.

    Args:
        parsed: from `parse`.
        syntax: the prompt's own by default.
        exact: write weights with all their digits; else the shortest numbers near them.
    Raises:
        UnknownNameError: there is no syntax of that name.
        PromptError: the syntax cannot express the prompt; shows the place in its source.
    """
    syntax = parsed.syntax if syntax is None else syntax
    name = SAME_SYNTAX.get(syntax, syntax) if isinstance(syntax, str) else ""
    if name not in WRITERS:
        raise UnknownNameError("syntax", syntax, WRITERS)
    try:
        return _write_and_check(parsed if exact else with_short_weights(parsed), name)
    except PromptError:
        if name != parsed.syntax:
            raise
        again = parse(parsed.source, name)
        if replace(again, issues=parsed.issues) != parsed:  # a part of its source, or altered
            raise
        return parsed.source


ParsedPrompt.renderer = render


def _write_and_check(parsed: ParsedPrompt, name: str) -> str:
    """Write a prompt in a syntax and read it back.

    Raises:
        PromptError: the syntax cannot express it; shows the place in the prompt's source.
    """
    text = WRITERS[name](parsed)
    try:
        written = parse(text, name)
    except PromptError:  # its caret is in `text`, which the user has not seen
        written = ParsedPrompt(text, ())
    differ = (mode_and_weights(written), lora_weights(written)) != (
        mode_and_weights(parsed),
        lora_weights(parsed),
    )
    for ours, theirs in zip_longest(weighted_words(parsed), weighted_words(written)):
        if differ or ours is None or theirs is None or ours[:2] != theirs[:2]:
            position = len(parsed.source) if ours is None else ours[2]
            message = f"syntax {name!r} has no way to write this"
            remedy = f"It would read {excerpt(text)!r} otherwise. Leave it out."
            raise PromptError(message, parsed.source, position, remedy)
    return text


def weighted_words(parsed: ParsedPrompt) -> list[tuple[str, float, int]]:
    """Cut a prompt into words as a tokenizer does; a break is the word "" at weight 1.

    Returns:
        (word, weight, about where it starts in the source) of each.
    """
    found: list[tuple[str, float, int]] = []
    for part in effective_parts(parsed):
        if isinstance(part, Break):
            found.append(("", 1.0, part.start))
        else:
            at = part.start
            for word in _WORD.findall(part.text):
                # an escape in the source may hide it: then it is near the word before it
                at = max(at, parsed.source.find(word, at, min(part.stop, at + _NEAR)))
                found.append((word, part.weight, at))
    return found


def with_short_weights(parsed: ParsedPrompt) -> ParsedPrompt:
    """Replace every weight by the shortest decimal within 0.001 of it, or a hundredth of it."""

    def shorten(prompt: ParsedPrompt) -> ParsedPrompt:
        parts = (
            part if isinstance(part, Break) else replace(part, weight=_shortest(part.weight))
            for part in prompt.parts
        )
        extras = (
            replace(extra, weight=_shortest(extra.weight)) if isinstance(extra, Lora) else extra
            for extra in prompt.extras
        )
        return replace(prompt, parts=tuple(parts), extras=tuple(extras))

    mixture = parsed.mixture
    if mixture is not None:
        weights = tuple(map(_shortest, mixture.weights))
        mixture = Mixture(tuple(map(shorten, mixture.prompts)), weights, mixture.mode)
    return replace(shorten(parsed), mixture=mixture)


def _shortest(weight: float) -> float:
    near = min(1e-3, abs(weight) / 100)
    rounded = (round(weight, n_digits) for n_digits in range(17))
    return next((short for short in rounded if abs(short - weight) <= near), weight)
