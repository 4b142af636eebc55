r"""Read the syntax of NovelAI's image generator: braces, square brackets, numbers and `::`.

    {x}          times 1.05      1.3::x::     times 1.3, up to the next `::`
    [x]          divided by 1.05 -1::x::      times -1: what is to be kept out

Nesting multiplies; `0.5::` inside `1.3::` ends it, and a number that no `::` ends
acts to the end of the prompt. Round brackets, BREAK and AND are text; there are no escapes. Braces
and brackets that do not match are accepted as A1111 accepts them: an opening one acts to the end,
a closing one is text; both become issues, and so does a `::` that ends nothing.

`|`, which mixes several prompts there, is not supported: it stays text, with an issue.

NovelAI publishes no parser; this follows its documentation.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence

from clipcond.prompt.scanner import OPENING, read_weight, segments_of
from clipcond.prompt.segments import MOST_ISSUES, Issue, ParsedPrompt, in_order

FACTORS = {"{": 1.05, "[": 1 / 1.05}
_SHOWN = 60  # characters
_DEEPEST = 14_000  # 1.05 to this power is still a number

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
_LEXICON = re.compile(
    rf"(?P<number>(?<![\w.]){_NUMBER}::)"
    r"|(?P<end>::)"
    r"|(?P<open>\{+|\[+)"
    r"|(?P<close>\}+|\]+)"
    r"|(?P<bar>\|+)"
)


def parse(text: str) -> ParsedPrompt:
    """Parse a prompt as NovelAI's documentation has it; what is odd becomes an issue.

    Neighbours of equal weight are joined. A prompt without text is one empty segment.

    Raises:
        PromptSyntaxError: a weight has so many digits that it is not finite.
    Source: docs.novelai.net, image generation, strengthening and weakening.
    """
    reader = _Reader(text)
    for lexeme in _LEXICON.finditer(text):
        reader.read(str(lexeme.lastgroup), *lexeme.span())
    reader.text_until(len(text))
    return reader.parsed()


_VALUE = re.compile(r"(?<![\w)\]}|])(?P<bar>\|{1,2})[A-Za-z]{1,2}(?P=bar)(?![\w(\[{|])(?!\s\w)")


class _Reader:
    """Reads one prompt from left to right; brackets of two kinds nest apart."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0  # where text goes on
        self.value_end = 0  # of an absolute value, whose bars are text
        self.number: float | None = None  # that no `::` has ended yet
        self.started = 0, 0  # where that is, and where its text begins
        self.opened = {kind: array("I") for kind in FACTORS}
        self.pieces = array("d"), array("I"), array("I")  # weight, start, stop
        self.issues: list[Issue] = []

    def read(self, kind: str, start: int, stop: int) -> None:
        """Take one lexeme, and the text before it; brackets and bars may be several in a row."""
        sign = self.source[start]
        if kind == "bar" and start < self.value_end:  # the second of |x|
            return
        if kind == "bar" and (value := _VALUE.match(self.source, start)):
            self.value_end = value.end()
            return
        if kind == "bar":
            message = "'|' mixes prompts in NovelAI, which is not supported: here it is text"
            if stop - start == 2:
                message = "'||' is a random choice in NovelAI, not supported: here it is text"
            remedy = "Encode the prompts one by one."
            if all(issue.code != "prompt-mixing" for issue in self.issues):
                self._add_issues(message, (start,), remedy, "prompt-mixing")
            return
        n_closed = min(stop - start, len(self.opened[OPENING[sign]])) if kind == "close" else 0
        if kind == "close":  # those beyond are text
            stray = range(start + n_closed, stop)
            self._add_issues(f"{sign!r} closes nothing", stray, "Remove it.", "bracket")
            if not n_closed:
                return
        self.text_until(start)
        self.at = start + n_closed if kind == "close" else stop
        if kind == "number":
            self.number, self.started = read_weight(self.source, start, stop - 2), (start, stop)
        elif kind == "open":
            self.opened[sign].extend(range(start, stop))
        elif kind == "close":
            self._add_crossing(sign, start, n_closed)
            del self.opened[OPENING[sign]][-n_closed:]
        else:
            if self.number is None:
                message = "'::' ends no weight, and is left out"
                self._add_issues(message, (start,), "A weight is 1.3::text::.", "weight")
            self.number = None

    def _add_crossing(self, sign: str, position: int, n_closed: int) -> None:
        """Add an issue if a number begins within brackets that end here, and goes on behind."""
        opening = self.opened[OPENING[sign]][-n_closed]
        start, stop = self.started
        if self.number is None or start < opening or not self.source[stop:position].strip():
            return
        self.started = 0, 0  # said once
        words = self.source[opening : position + n_closed]
        number = self.source[start:stop]
        message = f"{number!r} acts on what is behind {sign!r} too: no '::' ends it before"
        remedy = f"Write '::' before {sign!r}."
        if len(words) <= _SHOWN:
            remedy = f"Write {self.source[opening:position]}::{sign * n_closed}."
        if len(self.issues) < MOST_ISSUES:
            self.issues.append(Issue(message, opening, remedy, "novelai-weight", (words,)))

    def text_until(self, stop: int) -> None:
        """Add the text up to a position, at the weight that holds here."""
        if self.at < stop:
            weight = 1.0 if self.number is None else self.number
            for kind, opened in self.opened.items():
                if opened:
                    weight *= FACTORS[kind] ** min(len(opened), _DEEPEST)
            weights, starts, stops = self.pieces
            weights.append(weight)
            starts.append(self.at)
            stops.append(stop)

    def parsed(self) -> ParsedPrompt:
        """Make the prompt of all that was read."""
        for sign, kind in OPENING.items():
            message, remedy = f"{kind!r} is never closed", f"Close it with {sign!r}."
            self._add_issues(message, self.opened.get(kind, ()), remedy, "bracket")
        limited, issues = segments_of(self.source, zip(*self.pieces, strict=True))
        ordered = in_order([*self.issues, *issues])
        return ParsedPrompt(self.source, limited, ordered, "novelai")

    def _add_issues(self, message: str, positions: Sequence[int], remedy: str, code: str) -> None:
        n_left = MOST_ISSUES - len(self.issues)
        self.issues += [Issue(message, position, remedy, code) for position in positions[:n_left]]
