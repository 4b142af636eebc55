r"""Read the syntax of ComfyUI: round brackets, of which an inner number replaces the outer ones.

    (x)   times 1.1      (x:1.3)   1.3, whatever is around it      \( \)   literal brackets

Everything else is text: square and curly brackets, BREAK, AND, other backslashes. Two oddities are
ComfyUI's own. A `)` that closes nothing counts as one bracket less than none, so the brackets after
it are text. An unclosed `(` makes all after it text, unless the whole ends in `)`, which then
closes it: `((a)` is `(a` at 1.1. Both become issues.

`parse` gives the weighted fragments. ComfyUI tokenizes and chunks smaller pieces, and ADV_CLIP_emb
calls them words: `parse_groups` cuts the fragments at references to embeddings, or, as releases
until 2024 did, at spaces too. It makes every group a segment, so a token's `segment` is its group.

Deviations: a weight that is not finite (`nan`, `inf`, `1e999`) is an error here and a black image
there; a product of brackets is held at the largest number, with a warning; the name of an
embedding that is not there is left out as there, with a warning that shows its place; an embedding
is never cut in two, while ComfyUI cuts any group of eight tokens or more.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain

from clipcond.prompt.scanner import (
    ascii_signs,
    gaps,
    limit_weights,
    read_weight,
    unmatched_brackets,
)
from clipcond.prompt.segments import Issue, ParsedPrompt, Part, Segment, in_order

FACTOR = 1.1
EMBEDDING = "embedding:"

_BRACKETS = re.compile(r"(?<!\\)[()]")
_ESCAPE = re.compile(r"\\([()])")
_FULLWIDTH_ESCAPE = re.compile(r"[\\＼]([()（）])")
_SPACES = re.compile(r"[ \n]")
_SPACE_BEFORE_REFERENCE = re.compile(rf"[ \n](?={EMBEDDING})")
_REFERENCE = re.compile(rf"{EMBEDDING}(\S+)")


def parse(text: str, *, fullwidth: bool = False) -> ParsedPrompt:
    """Parse a prompt as ComfyUI does, which accepts almost anything; what is odd becomes an issue.

    Fragments are never trimmed nor joined. A prompt without text has no parts.

    Args:
        fullwidth: whether full-width punctuation is syntax too.
    Raises:
        PromptSyntaxError: a weight is not finite.
    Source: ComfyUI 0.3.64, comfy/sd1_clip.py: its results, see tests/parity/test_comfyui_text.py.
    """
    brackets = _Brackets(text, fullwidth=fullwidth)
    segments, issues = limit_weights(
        [
            Segment(_resolve_escapes(text[start:stop], fullwidth), weight, start, stop)
            for start, stop, weight in brackets.fragments()
        ]
    )
    return ParsedPrompt(text, segments, in_order([*brackets.issues(), *issues]), "comfyui")


def parse_groups(
    text: str, *, words: bool = False, embeddings: bool = True, fullwidth: bool = False
) -> ParsedPrompt:
    """Parse a prompt, and cut its fragments into the groups that ComfyUI tokenizes and chunks.

    `embedding:name` refers to an embedding, at the start of a fragment or after a space or newline;
    the name goes up to the next whitespace or closing commas. It becomes a segment of its own. The
    bare name is a word like any other.

    Args:
        text: the prompt.
        words: cut at every space and newline, too, as releases until 2024 did.
        embeddings: False keeps `embedding:name` as plain text, as ComfyUI does when it has no
            folder of embeddings.
        fullwidth: whether full-width punctuation is syntax too.
    Raises:
        PromptSyntaxError: a weight is not finite.
    """
    parsed = parse(text, fullwidth=fullwidth)
    separator = _SPACES if words else _SPACE_BEFORE_REFERENCE
    parts: list[Part] = []
    for fragment in parsed.segments:
        span = fragment.start, fragment.stop
        separators = (found.span() for found in separator.finditer(text, *span))
        for start, stop in gaps(separators, *span):
            reference = _REFERENCE.match(text, start, stop) if embeddings else None
            name = reference[1].rstrip(",") if reference else ""
            if name:
                end = start + len(EMBEDDING) + len(name)
                parts.append(
                    Segment(_resolve_escapes(name, fullwidth), fragment.weight, start, end, True)
                )
                start = end
                if not text[start:stop].strip():
                    continue
            piece = _resolve_escapes(text[start:stop], fullwidth)
            parts.append(Segment(piece, fragment.weight, start, stop))
    return replace(parsed, parts=tuple(parts), bare_names=not embeddings)


def _resolve_escapes(text: str, fullwidth: bool) -> str:
    """Make text of a piece of the source."""
    return (_FULLWIDTH_ESCAPE if fullwidth else _ESCAPE).sub(r"\1", text)


class _Brackets:
    """The brackets of a prompt that are not escaped.

    Args:
        source: the prompt.
        fullwidth: whether full-width punctuation is syntax too.
    """

    def __init__(self, source: str, *, fullwidth: bool) -> None:
        self._source = source
        self._signs = ascii_signs(source, fullwidth=fullwidth)
        self._places, self._closing, opened, stray = (array("I") for _ in range(4))
        # Of each bracket, the index of the one that closes it; 0 for `)`, and where there is none.
        for index, bracket in enumerate(_BRACKETS.finditer(self._signs)):
            place = bracket.start()
            self._places.append(place)
            self._closing.append(0)
            if self._signs[place] == "(":
                opened.append(index)
            elif opened:
                self._closing[opened.pop()] = index
            else:
                stray.append(place)
        self._n_unmatched = len(stray) + len(opened)
        # A `)` without a partner comes before every `(` without one.
        self._unmatched = chain(stray, (self._places[index] for index in opened))

    def fragments(self) -> Iterator[tuple[int, int, float]]:
        """Yield (start, stop, weight) of every piece of text, in order.

        A range of the source is text up to its first group, the inside of the group, and the rest.
        The ranges to read wait in a list, so that nesting needs no recursion.
        """
        waiting = [(0, len(self._places), 0, len(self._source), 1.0)]
        while waiting:
            first, end, start, stop, weight = waiting.pop()
            opening = self._first_group(first, end)
            begin = stop if opening == end else self._places[opening]
            if start < begin:
                yield start, begin, weight
            if opening == end:
                continue
            closing = self._last_of_group(opening, end, stop)
            if closing is None:
                yield begin, stop, weight
                continue
            waiting.append((closing + 1, end, self._places[closing] + 1, stop, weight))
            waiting.append(self._inside(opening, closing, weight))

    def _first_group(self, first: int, end: int) -> int:
        """Find the index of the first bracket in a range that opens a group; `end` if none does.

        Below depth 0, after a bracket that closes nothing, no bracket opens a group.
        """
        depth = 0
        for index in range(first, end):
            opens = self._signs[self._places[index]] == "("
            if opens and depth == 0:
                return index
            depth += 1 if opens else -1
        return end

    def _last_of_group(self, opening: int, end: int, stop: int) -> int | None:
        """Find the index of the bracket that closes a group; None if it is text, not a group."""
        closing = self._closing[opening]
        if 0 < closing < end:
            return closing
        # It is never closed, but a `)` at the end of the range does, even if it has a partner.
        last = self._places[end - 1]
        return end - 1 if self._signs[last] == ")" and last == stop - 1 else None

    def _inside(
        self, opening: int, closing: int, weight: float
    ) -> tuple[int, int, int, int, float]:
        """Make the range within a group, without its number, and the weight there."""
        start, stop = self._places[opening] + 1, self._places[closing]
        # The number holds no bracket, so its colon follows the last one inside.
        colon = self._signs.rfind(":", self._places[closing - 1] + 1, stop)
        number = _number(self._signs[colon + 1 : stop]) if colon > start else None
        if number is None:
            return opening + 1, closing, start, stop, weight * FACTOR
        if not math.isfinite(number):
            read_weight(self._source, colon + 1, stop, self._signs)  # raises
        return opening + 1, closing, start, colon, number

    def issues(self) -> list[Issue]:
        """List the brackets that do not match."""
        spoiled = self._places[-1] if self._places else 0
        return unmatched_brackets(self._source, self._unmatched, self._n_unmatched, spoiled)


def _number(text: str) -> float | None:
    """Read a number as Python does; None if it is none."""
    with suppress(ValueError):
        return float(text)
    return None
