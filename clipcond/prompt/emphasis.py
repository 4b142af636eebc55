r"""Brackets that multiply: the grammar that several syntaxes share, each with its variations.

`(x)` multiplies by 1.1, `[x]` by 1/1.1, `(x:1.3)` by 1.3 instead; nesting multiplies, and round
and square brackets may cross. `\(` `\)` `\[` `\]` `\\` are the bare character; any other backslash
vanishes. Brackets that do not match are accepted: an opening one acts to the end of the prompt, a
closing one is text. Both become issues.
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter

from clipcond.prompt.fullwidth import CLOSING, signs
from clipcond.prompt.nesting import OUTSIDE, Nesting
from clipcond.prompt.scanner import read_weight, scan, split_at_word
from clipcond.prompt.segments import MOST_ISSUES, Issue, Segment

ROUND, SQUARE = 1.1, 1 / 1.1


def lexicon(number: str) -> re.Pattern[str]:
    """The lexemes of the grammar; `number` is what may stand between `:` and `)`."""
    return re.compile(
        r"(?P<text>[^\\()\[\]:]+)"
        r"|(?P<open>[(\[])"
        r"|(?P<close>[)\]])"
        rf"|(?P<weight>:{number}\))"
        r"|(?P<escape>\\[\\()\[\]]?)"
        r"|(?P<colon>:)"
    )


# Digits and dots only, so `1.2.3` and `.` are numbers here and fail as such.
NUMBER = r"[+-]?[.\d]+"
SPACED_NUMBER = rf"\s*{NUMBER}\s*"
TIGHT = lexicon(NUMBER)


@dataclass(slots=True)
class _Run:
    """Text within one and the same set of brackets, or the word BREAK.

    `more` is what follows `text`; mostly nothing, and then no list that the garbage collector would
    have to look at, over and over in a long prompt.
    """

    text: str
    start: int
    stop: int
    round: int
    square: int
    sign: float = 1.0
    more: list[str] | None = None

    def whole(self) -> str:
        return self.text if self.more is None else "".join([self.text, *self.more])


@dataclass(slots=True)
class Reader:
    """Reads one prompt; `read` is the way in.

    Args:
        source: the prompt.
        lexemes: as `lexicon` makes them.
        break_word: becomes a segment of its own, at minus the weight around it.
        fullwidth: whether full-width punctuation is syntax too; text stays as it is typed.
    """

    source: str
    lexemes: re.Pattern[str]
    break_word: str | None
    fullwidth: bool = False
    nesting: Nesting = field(default_factory=Nesting)
    runs: list[_Run] = field(default_factory=list)
    unmatched: list[int] = field(default_factory=list)
    innermost: dict[str, int] = field(default_factory=lambda: {"(": OUTSIDE, "[": OUTSIDE})

    def scan(self) -> None:
        """Walk the source once: build the runs and the brackets around them."""
        source, innermost = self.source, self.innermost
        sign = signs(source, fullwidth=self.fullwidth)
        has_breaks = self.break_word is not None and self.break_word in source
        for kind, start, stop in scan(sign, self.lexemes):
            if kind == "text" and has_breaks:
                self._add_text(start, stop)
            elif kind == "text" or kind == "colon":
                self._add(source[start:stop], start, stop)
            elif kind == "escape":
                self._add(source[start + 1 : stop], start, stop)
            elif kind == "open":
                bracket = sign[start]
                innermost[bracket] = self.nesting.open(innermost[bracket], start)
            elif kind == "weight" and innermost["("]:
                self._close("(", read_weight(source, start + 1, stop - 1, sign), start)
            elif kind == "close" and sign[start] == ")" and innermost["("]:
                self._close("(", ROUND, start)
            elif kind == "close" and sign[start] == "]" and innermost["["]:
                self._close("[", SQUARE, start)
            else:
                self.unmatched.append(stop - 1)
                self._add(source[start:stop], start, stop)

    def _close(self, bracket: str, factor: float, position: int) -> None:
        node = self.innermost[bracket]
        self.innermost[bracket] = self.nesting.close(node, factor, position)

    def _add(self, text: str, start: int, stop: int, sign: float = 1.0) -> None:
        """Append text within the brackets now open, to the last run if that is within the same."""
        a, b = self.innermost["("], self.innermost["["]
        last = self.runs[-1] if self.runs else None
        if last and last.round == a and last.square == b and last.sign == sign == 1.0:
            if last.more is None:
                last.more = []
            last.more.append(text)
            last.stop = stop
        else:
            self.runs.append(_Run(text, start, stop, a, b, sign))

    def _add_text(self, start: int, stop: int) -> None:
        """Append text, the break word set apart."""
        assert self.break_word is not None
        pieces = split_at_word(self.source, start, stop, self.break_word, fullwidth=self.fullwidth)
        for begin, end, is_word in pieces:
            self._add(self.source[begin:end], begin, end, -1.0 if is_word else 1.0)

    def close_all(self) -> list[int]:
        """Close what is still open at the end, round before square; returns where it was opened."""
        unclosed = []
        for rank, (bracket, factor) in enumerate({"(": ROUND, "[": SQUARE}.items()):
            for node in self.nesting.path(self.innermost[bracket]):
                unclosed.append(self.nesting.opened[node])
                self.nesting.close(node, factor, len(self.source) + rank)
        return unclosed

    def segments(self) -> list[Segment]:
        """The runs, neighbours of equal weight joined."""
        return [_joined(list(runs), weight) for weight, runs in groupby(self.runs, self._weight)]

    def _weight(self, run: _Run) -> float:
        return run.sign * self.nesting.weight(run.round, run.square)


def _joined(runs: list[_Run], weight: float) -> Segment:
    # Without a space: `(a)(b)` is one text, and one token where the tokenizer knows `ab`.
    text = runs[0].whole() if len(runs) == 1 else "".join([run.whole() for run in runs])
    return Segment(text, weight, runs[0].start, runs[-1].stop)


def read(
    source: str,
    lexemes: re.Pattern[str],
    break_word: str | None = "BREAK",
    *,
    fullwidth: bool = False,
) -> tuple[list[Segment], list[Issue]]:
    """Read a prompt: its segments, neighbours of equal weight joined, and its issues in order.

    The break word comes as a segment of that text, at -1.0, or minus the weight of the brackets
    around it; what that means is for the syntax to say. A prompt without text is one empty segment.

    Args:
        lexemes: as `lexicon` makes them.
        break_word: None where the syntax knows none.
        fullwidth: whether full-width punctuation is syntax too.
    Raises:
        PromptSyntaxError: a weight is not a finite number.
    """
    reader = Reader(source, lexemes, break_word, fullwidth)
    reader.scan()
    unclosed = reader.close_all()
    segments = reader.segments() or [Segment("", 1.0, 0, 0)]
    segments, overflows = _finite(segments)
    issues = _bracket_issues(source, unclosed, reader.unmatched) + overflows
    return segments, sorted(issues, key=attrgetter("position"))


def read_break_as_word(
    source: str, *, fullwidth: bool = False
) -> tuple[list[Segment], list[Issue]]:
    """Read a prompt as the parsers that know BREAK, but do not act on it.

    Numbers are without spaces. BREAK stays the word "break", at minus the weight around it, and
    becomes an issue.
    """
    segments, issues = read(source, TIGHT, fullwidth=fullwidth)
    words = [segment for segment in segments if segment.text == "BREAK"]
    message = "BREAK starts no chunk in this dialect: it is the word 'break' at weight"
    issues += [
        Issue(f"{message} {word.weight:g}", word.start, "Leave it out, or use dialect 'a1111'.")
        for word in words[:MOST_ISSUES]
    ]
    return segments, sorted(issues, key=attrgetter("position"))


def _bracket_issues(source: str, unclosed: list[int], unmatched: list[int]) -> list[Issue]:
    positions = sorted(unclosed + unmatched)
    issues = [_bracket_issue(source[at], at) for at in positions[:MOST_ISSUES]]
    left = positions[MOST_ISSUES:]
    if left:
        issues.append(Issue(f"{len(left)} more brackets that do not match", left[0]))
    return issues


def _bracket_issue(bracket: str, position: int) -> Issue:
    literal = f"write '\\{bracket}' for a literal bracket."
    if bracket in CLOSING:
        remedy = f"Close it with {CLOSING[bracket]!r} or {literal}"
        return Issue(f"{bracket!r} is never closed", position, remedy)
    return Issue(f"{bracket!r} closes nothing", position, f"Remove it or {literal}")


def _finite(segments: list[Segment]) -> tuple[list[Segment], list[Issue]]:
    """Hold products of brackets at the largest number; the references go on with infinity."""
    beyond = [s for s in segments if not math.isfinite(s.weight)]
    if not beyond:
        return segments, []
    largest = sys.float_info.max
    held = [
        s if math.isfinite(s.weight) else replace(s, weight=max(-largest, min(largest, s.weight)))
        for s in segments
    ]
    message = "the brackets around this multiply to more than a number can hold"
    return held, [Issue(message, beyond[0].start, "Nest fewer brackets.")]
