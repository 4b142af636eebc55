"""The words of a prompt: what a text model gets that has no weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.settled import Settled
from clipcond.prompt import Break, ParsedPrompt

Texts = TypeVar("Texts", str, list[str], list[str] | str | None)


def words_of(
    conditioner: Conditioner, prompt: str | Sequence[str], *, negative: bool = False
) -> str | list[str]:
    """Take the syntax of the conditioner's dialect out of a prompt, or out of several.

    A prompt without syntax comes back as it is, blanks and all.
    """
    if not isinstance(prompt, str):
        return [_words(conditioner, each, negative) for each in prompt]
    return _words(conditioner, prompt, negative)


def _words(conditioner: Conditioner, prompt: str, negative: bool) -> str:
    parsed = _parsed(conditioner, prompt, negative)
    words = " ".join("".join(_pieces(member)) for member in parsed.members)
    if words.split() == prompt.split():
        words = prompt
    # where a part of AND or a choice was, blanks are left, which such models may read
    return re.sub(" +", " ", words).strip() if isinstance(prompt, Settled) else words


def as_negatives(conditioner: Conditioner, texts: Texts) -> Texts:
    """Read a text, or a list of them, as negatives: AND is a word in the prompts that come back."""
    if isinstance(texts, str):
        return conditioner.over_time(texts, 1, negative=True)[-1][1][0][0]
    return None if texts is None else [as_negatives(conditioner, text) for text in texts]


def syntax_of(conditioner: Conditioner, prompt: str) -> list[str]:
    """Name the syntax of a prompt that acts on hidden states only: weights, BREAK."""
    parsed = _parsed(conditioner, prompt, False)
    segments = [segment for member in parsed.members for segment in member.segments]
    parts = [part for member in parsed.members for part in member.parts]
    found = {
        "weights": any(segment.weight != 1.0 for segment in segments),
        "BREAK": any(isinstance(part, Break) for part in parts),
        "a mixture": parsed.mixture is not None,
    }
    return [name for name, is_there in found.items() if is_there]


def _parsed(conditioner: Conditioner, prompt: str, negative: bool) -> ParsedPrompt:
    reader = conditioner.reader
    return reader.parse(reader.read(prompt, negative=negative))


def _pieces(parsed: ParsedPrompt) -> list[str]:
    return [" " if isinstance(part, Break) else part.text for part in parsed.parts]
