r"""The syntax of ComfyUI: round brackets, of which an inner number replaces what is around it.

    (x)   times 1.1      (x:1.3)   1.3, whatever is around it      \( \)   literal brackets

Everything else is text: square and curly brackets, BREAK, AND, other backslashes. Two oddities are
ComfyUI's own. A `)` that closes nothing counts as one bracket less than none, so the brackets after
it are text; and an unclosed `(` makes all behind it text, unless the whole ends in `)`, which then
closes it: `((a)` is `(a` at 1.1. Both become issues.

`parse` gives the weighted fragments. What stays together in a chunk, and what ADV_CLIP_emb calls a
word, is finer: `groups` cuts the fragments at references to embeddings, or, as releases until 2024
did, at spaces too. There every segment is one group, so a token's `segment` tells its group.

Deviations: a weight that is not finite (`nan`, `inf`, `1e999`) is an error here and a black image
there; a product of brackets is held at the largest number, with a warning; the name of an
embedding that is not there is left out as there, with a warning that shows its place; an embedding
is never cut in two, while ComfyUI cuts any group of eight tokens or more.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import attrgetter

from clipcond.prompt.fullwidth import CLOSING, signs
from clipcond.prompt.scanner import read_weight
from clipcond.prompt.segments import MOST_ISSUES, Issue, ParsedPrompt, Part, Segment

FACTOR = 1.1
EMBEDDING = "embedding:"

_BRACKETS = re.compile(r"\\[()]|[()]")
_ESCAPE = re.compile(r"\\([()])")
_FULLWIDTH_ESCAPE = re.compile(r"[\\＼]([()（）])")
_SPACES = re.compile(r"[ \n]")
_SPACE_BEFORE_REFERENCE = re.compile(rf"[ \n](?={EMBEDDING})")
_REFERENCE = re.compile(rf"{EMBEDDING}(\S+)")


def parse(text: str, *, fullwidth: bool = False) -> ParsedPrompt:
    """Parse a prompt as ComfyUI does; whatever that accepts is accepted, with issues.

    Fragments are never trimmed nor joined. A prompt without text has no parts.

    Args:
        fullwidth: whether full-width punctuation is syntax too.
    Raises:
        PromptSyntaxError: a weight is not finite.
    Source: ComfyUI 0.3.64, comfy/sd1_clip.py: its results, see tests/parity/test_comfyui_text.py.
    """
    brackets = _Brackets.of(text, fullwidth=fullwidth)
    segments = tuple(
        Segment(_bare(text[start:stop], fullwidth), weight, start, stop)
        for start, stop, weight in brackets.fragments()
    )
    issues = brackets.issues()
    beyond = next((s for s in segments if not math.isfinite(s.weight)), None)
    if beyond is not None:
        segments = tuple(map(_held, segments))
        message = "the brackets around this multiply to more than a number can hold"
        issues.append(Issue(message, beyond.start, "Nest fewer brackets."))
    issues.sort(key=attrgetter("position"))
    return ParsedPrompt(text, segments, tuple(issues), "comfyui")


def groups(
    text: str, *, words: bool = False, embeddings: bool = True, fullwidth: bool = False
) -> ParsedPrompt:
    """Parse a prompt, and cut its fragments into what ComfyUI tokenizes and chunks as one.

    An embedding is referred to by `embedding:name`, at the start of a fragment or behind a space or
    newline; the name goes up to the next whitespace or closing commas. It becomes a segment of its
    own. The bare name is a word like any other.

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
        for start, stop in _between(separator, text, fragment.start, fragment.stop):
            reference = _REFERENCE.match(text, start, stop) if embeddings else None
            name = reference[1].rstrip(",") if reference else ""
            if name:
                end = start + len(EMBEDDING) + len(name)
                parts.append(Segment(_bare(name, fullwidth), fragment.weight, start, end, True))
                start = end
                if not text[start:stop].strip():
                    continue
            piece = _bare(text[start:stop], fullwidth)
            parts.append(Segment(piece, fragment.weight, start, stop))
    return replace(parsed, parts=tuple(parts), bare_names=not embeddings)


def _between(
    separator: re.Pattern[str], source: str, start: int, stop: int
) -> Iterator[tuple[int, int]]:
    """The places in source[start:stop] between separators, empty ones left out."""
    for match in separator.finditer(source, start, stop):
        if start < match.start():
            yield start, match.start()
        start = match.end()
    if start < stop:
        yield start, stop


def _bare(text: str, fullwidth: bool) -> str:
    """A piece of the source, its escapes resolved."""
    return (_FULLWIDTH_ESCAPE if fullwidth else _ESCAPE).sub(r"\1", text)


def _held(segment: Segment) -> Segment:
    largest = sys.float_info.max
    return replace(segment, weight=max(-largest, min(largest, segment.weight)))


@dataclass(frozen=True, slots=True)
class _Brackets:
    """The brackets of a prompt that are not escaped.

    `signs` is the source, or what stands in it for ASCII where full-width punctuation counts.
    `places` says where each stands, `closing` the index of the one that closes it (None for `)`,
    and where there is none), `unmatched` the places of those without a partner, in order.
    """

    source: str
    signs: str
    places: tuple[int, ...]
    closing: tuple[int | None, ...]
    unmatched: tuple[int, ...]

    @classmethod
    def of(cls, source: str, *, fullwidth: bool = False) -> _Brackets:
        sign = signs(source, fullwidth=fullwidth)
        matches = _BRACKETS.finditer(sign)
        places = tuple(m.start() for m in matches if m.end() - m.start() == 1)
        closing: list[int | None] = [None] * len(places)
        opened: list[int] = []
        unmatched = []
        for index, place in enumerate(places):
            if sign[place] == "(":
                opened.append(index)
            elif opened:
                closing[opened.pop()] = index
            else:
                unmatched.append(place)
        unmatched += [places[index] for index in opened]  # none of them before a `)` of no partner
        return cls(source, sign, places, tuple(closing), tuple(unmatched))

    def fragments(self) -> Iterator[tuple[int, int, float]]:
        """Yield (start, stop, weight) of every piece of text, in order.

        A range of the source is text up to its first group, the group's inside, and the rest. The
        ranges still to be read wait in a list, so that nesting needs no recursion.
        """
        waiting = [(0, len(self.places), 0, len(self.source), 1.0)]
        while waiting:
            first, end, start, stop, weight = waiting.pop()
            opening = self._first_group(first, end)
            begin = stop if opening == end else self.places[opening]
            if start < begin:
                yield start, begin, weight
            if opening == end:
                continue
            closing = self._last_of_group(opening, end, stop)
            if closing is None:
                yield begin, stop, weight
                continue
            if closing + 1 < end or self.places[closing] + 1 < stop:
                behind = self.places[closing] + 1
                waiting.append((closing + 1, end, behind, stop, weight))
            waiting.append(self._inside(opening, closing, weight))

    def _first_group(self, first: int, end: int) -> int:
        """Index of the first bracket in a range that opens a group; `end` if none does.

        Brackets below depth 0, behind one that closes nothing, open none.
        """
        depth = 0
        for index in range(first, end):
            opens = self.signs[self.places[index]] == "("
            if opens and depth == 0:
                return index
            depth += 1 if opens else -1
        return end

    def _last_of_group(self, opening: int, end: int, stop: int) -> int | None:
        """Index of the bracket taken as closing the group, None if it is plain text."""
        closing = self.closing[opening]
        if closing is not None and closing < end:
            return closing
        # Never closed, but the range ends in `)`, whatever that closes.
        last = self.places[end - 1]
        return end - 1 if self.signs[last] == ")" and last == stop - 1 else None

    def _inside(
        self, opening: int, closing: int, weight: float
    ) -> tuple[int, int, int, int, float]:
        """The range within a group, its number left out, and the weight there."""
        start, stop = self.places[opening] + 1, self.places[closing]
        # The number holds no bracket, so its colon follows the last one inside.
        colon = self.signs.rfind(":", self.places[closing - 1] + 1, stop)
        if colon > start:
            number = _as_float(self.signs[colon + 1 : stop])
            if number is not None and not math.isfinite(number):
                read_weight(self.source, colon + 1, stop, self.signs)
            if number is not None:
                return opening + 1, closing, start, colon, number
        return opening + 1, closing, start, stop, weight * FACTOR

    def issues(self) -> list[Issue]:
        """Brackets that do not match, at most so many."""
        issues = [self._issue(place) for place in self.unmatched[:MOST_ISSUES]]
        left = self.unmatched[MOST_ISSUES:]
        if left:
            issues.append(Issue(f"{len(left)} more brackets that do not match", left[0]))
        return issues

    def _issue(self, place: int) -> Issue:
        bracket = self.source[place]
        literal = f"write '\\{bracket}' for a literal bracket."
        if bracket in CLOSING:
            remedy = f"Close it with {CLOSING[bracket]!r} or {literal}"
            return Issue(f"{bracket!r} is never closed", place, remedy)
        message = f"{bracket!r} closes nothing"
        if place < self.places[-1]:
            message += ", and makes the brackets after it plain text"
        return Issue(message, place, f"Remove it or {literal}")


def _as_float(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None
