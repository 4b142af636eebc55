"""Cut a prompt into phrases, and read it without its syntax."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clipcond.errors import PromptError
from clipcond.prompt.segments import Break, ParsedPrompt, Segment

# Signs that end a phrase, English and Chinese; a full stop does so before a blank or the end.
_SIGNS = frozenset(",;!?\n，、；。！？")
_STOP = "."


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is between two signs or breaks of a prompt: `text`, and its place in the prompt."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Letter:
    sign: str
    start: int
    stop: int


def plain_text(*conditions: ParsedPrompt) -> str:
    """Join what the conditions of a prompt say, without brackets, weights and breaks.

    What has a weight of 0 or below is left out. Plain text stays as it is.

    Raises:
        PromptError: they say nothing.
    """
    said = [" ".join(map(_joined, _runs(each))).strip() for each in conditions]
    text = ", ".join(filter(_says_something, said))
    if not text:
        raise PromptError("the prompt has no text that could be scored", conditions[0].source, 0)
    return conditions[0].source if conditions[0].syntax == "plain" else text


def phrases_of(*conditions: ParsedPrompt) -> list[Phrase]:
    """List the phrases of a prompt that are more than punctuation, of weights above 0."""
    found: list[Phrase] = []
    for run in (run for each in conditions for run in _runs(each)):
        first = 0
        for i in [i for i, _ in enumerate(run) if _ends(run, i)] + [len(run)]:
            found += _phrase(run[first:i])
            first = i + 1
    return found


def _joined(run: Iterable[_Letter]) -> str:
    return "".join(each.sign for each in run).strip()


def _runs(parsed: ParsedPrompt) -> Iterator[list[_Letter]]:
    """Yield the letters of each chunk that the prompt asks for, with their places."""
    if parsed.mixture is not None:
        for prompt, weight in zip(parsed.mixture.prompts, parsed.mixture.weights, strict=True):
            if weight > 0:
                yield from _runs(prompt)
        return
    run: list[_Letter] = []
    for part in parsed.parts:
        if isinstance(part, Break):
            yield run
            run = []
            continue
        letters = list(_letters(part, parsed.source)) if part.weight > 0 else []
        if run and letters and _is_word(run[-1]) and _is_word(letters[0]):
            run.append(_Letter(" ", run[-1].stop, run[-1].stop))  # two segments are two words
        run += letters
    yield run


def _letters(segment: Segment, source: str) -> Iterable[_Letter]:
    """List the letters of a segment; where an escape was resolved, each has the whole's place."""
    if source[segment.start : segment.stop] == segment.text:
        places = range(segment.start, segment.stop)
        return [_Letter(c, i, i + 1) for c, i in zip(segment.text, places, strict=True)]
    return [_Letter(c, segment.start, segment.stop) for c in segment.text]


def _says_something(text: str) -> bool:
    """Whether there is more than punctuation, blanks and controls."""
    return any(unicodedata.category(sign)[0] not in "PZC" for sign in text)


def _is_word(letter: _Letter) -> bool:
    return letter.sign.isascii() and letter.sign.isalnum()


def _ends(run: Sequence[_Letter], i: int) -> bool:
    if run[i].sign == _STOP:
        return i + 1 == len(run) or run[i + 1].sign.isspace()
    return run[i].sign in _SIGNS


def _phrase(letters: Sequence[_Letter]) -> list[Phrase]:
    text = "".join(each.sign for each in letters)
    if not _says_something(text):
        return []
    first, last = len(text) - len(text.lstrip()), len(text.rstrip())
    return [Phrase(text.strip(), letters[first].start, letters[last - 1].stop)]
