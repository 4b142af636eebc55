"""Make segments of compel's phrases: multiply weights, join neighbours, find positions."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field

import clipcond.lazy_re as re
from clipcond.errors import PromptSyntaxError, excerpt
from clipcond.prompt.compel_grammar import SPACE
from clipcond.prompt.compel_nodes import Enclosed, LoraCall, Node, Piece, Swapped, Weighted
from clipcond.prompt.scanner import read_weight
from clipcond.prompt.segments import MOST_ISSUES, Issue, Lora, Segment, Swap

PLUS, MINUS = 1.1, 0.9

_COMMA = re.compile(r",(\S)")
_ESCAPES = re.compile(r'(?<!\\)(\\+)(?=[()"])')
_GAP = re.compile(rf"[{SPACE}]+")
_BRACKET = re.compile(r"(?<!\\)[()]")


class SpacedPrompt:
    """A prompt with a space after each comma that touches what follows.

    Of commas in a row every other one counts, as in the reference.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.text = _COMMA.sub(lambda found: f", {found[1]}", source)
        places = (match.end() - 1 for match in _COMMA.finditer(source))
        self._spaces = array("I", (place + n for n, place in enumerate(places)))

    def at(self, position: int) -> int:
        """Convert a position in the text to one in the source."""
        return position - bisect_left(self._spaces, position)

    def weight(self, start: int, stop: int) -> float:
        """Read the number at text[start:stop].

        Raises:
            PromptSyntaxError: it is not a finite number.
        """
        return read_weight(self.source, self.at(start), self.at(stop))


@dataclass(frozen=True, slots=True)
class _SwapEnd:
    """The end of what a swap replaces, which is encoded as if there were no swap."""

    swap: Swapped
    n_before: int  # segments before it


@dataclass(slots=True)
class Fragments:
    """The segments of one prompt, of one member of a mixture, or of a replacement."""

    spaced: SpacedPrompt
    is_replacement: bool = False
    segments: list[Segment] = field(default_factory=list)
    extras: list[Lora | Swap] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    _starts: array[int] = field(default_factory=lambda: array("I"))  # of pieces, all of `_weight`
    _stops: array[int] = field(default_factory=lambda: array("I"))
    _weight: float = 1.0

    def add(self, node: Node, weight: float = 1.0) -> None:
        """Add the text and extras of a node; nodes wait in a list, without recursion.

        Text may go on with the next node; `close` ends the last.

        Raises:
            PromptSyntaxError: a weight is not finite.
        """
        waiting: list[tuple[Node | _SwapEnd, float]] = [(node, weight)]
        while waiting:
            now, weight = waiting.pop()
            if isinstance(now, Piece):
                self._add_piece(now, weight)
            elif isinstance(now, Enclosed):
                waiting += [(inner, weight) for inner in reversed(now.nodes)]
            elif isinstance(now, Weighted):
                # outermost first: the last bit of a product depends on the order
                waiting.append((now.node, weight * self._factor(now)))
            elif isinstance(now, Swapped):
                self.close()
                waiting += [(_SwapEnd(now, len(self.segments)), weight), (now.node, weight)]
            elif isinstance(now, LoraCall):
                self._add_lora(now)
            else:
                self._add_swap(now, weight)

    def close(self) -> None:
        """Make a segment of the pieces so far."""
        if not self._starts:
            return
        weight = self._weight
        start, stop = self.spaced.at(self._starts[0]), self.spaced.at(self._stops[-1])
        if not math.isfinite(weight):
            message = f"the weights around this multiply to {weight}"
            raise PromptSyntaxError(message, self.spaced.source, start, "Nest fewer brackets.")
        self.segments.append(Segment(self._text(), weight, start, stop))
        del self._starts[:], self._stops[:]

    def _add_piece(self, piece: Piece, weight: float) -> None:
        if piece.is_run and (bracket := _BRACKET.search(self.spaced.text, piece.start, piece.stop)):
            at = self.spaced.at(bracket.start())
            self._add_issue(*_bracket_issue(bracket[0]), at, "bracket")
        if self._weight != weight:
            self.close()
        self._weight = weight
        self._starts.append(piece.start)
        self._stops.append(piece.stop)

    def _text(self) -> str:
        """Join pieces by single spaces, and resolve escapes.

        The reference takes a backslash off each escape whenever it makes a fragment: twice for a
        single piece, and once more for the whole whenever it joins one.
        """
        text = self.spaced.text
        spans = zip(self._starts, self._stops, strict=True)
        words = [word for start, stop in spans for word in _GAP.split(text[start:stop])]
        n_joins = len(words) - 1
        for i, word in enumerate(words):
            if "\\" in word:
                n_times = 2 + min(n_joins, n_joins - i + 1)
                words[i] = _ESCAPES.sub(lambda found, n=n_times: found[1][n:], word)
        return " ".join(words)

    def _factor(self, node: Weighted) -> float:
        sign = self.spaced.text[node.start]
        if sign not in "+-":
            return self.spaced.weight(node.start, node.stop)
        n_signs = node.stop - node.start
        try:
            return (PLUS if sign == "+" else MINUS) ** n_signs
        except OverflowError as error:
            message = f"{n_signs} signs make a weight that is not finite"
            position = self.spaced.at(node.start)
            raise PromptSyntaxError(message, self.spaced.source, position) from error

    def _add_swap(self, end: _SwapEnd, weight: float) -> None:
        self.close()
        swap = end.swap
        start, stop = self.spaced.at(swap.start), self.spaced.at(swap.middle)
        if len(self.segments) == end.n_before:
            self.segments.append(Segment("", weight, start, stop))
        if self.is_replacement:  # a replacement inside a replacement is ignored
            return
        replacement = Fragments(self.spaced, is_replacement=True)
        replacement.add(swap.replacement, weight)
        replacement.close()
        self.extras += replacement.extras
        options = tuple((name, _number_or_name(value)) for name, value in swap.replacement.options)
        self.extras.append(Swap(tuple(replacement.segments), options, start, stop))
        message = "what .swap() puts in its place is not encoded, only what is before it"
        remedy = "Encode both prompts, and change between them."
        self._add_issue(message, remedy, stop, "not-encoded")

    def _add_lora(self, lora: LoraCall) -> None:
        start, stop = self.spaced.at(lora.start), self.spaced.at(lora.stop)
        weight = 1.0 if lora.weight is None else self.spaced.weight(*lora.weight)
        self.extras.append(Lora(lora.name, weight, start, stop))
        message = f"the LoRA {excerpt(lora.name)!r} is left out of the text, and nothing loads it"
        remedy = "Load it into the pipeline: load_lora_weights."
        self._add_issue(message, remedy, start, "extra-network", (lora.name,))

    def _add_issue(
        self, message: str, remedy: str, position: int, code: str, words: tuple[str, ...] = ()
    ) -> None:
        if len(self.issues) < MOST_ISSUES:  # they come in order
            self.issues.append(Issue(message, position, remedy, code, words))


def _number_or_name(value: str) -> float | str:
    with suppress(ValueError):
        return float(value)
    return value


def _bracket_issue(bracket: str) -> tuple[str, str]:
    remedy = "Remove it or"
    message = "')' closes nothing: it is text"
    if bracket == "(":
        remedy = (
            "A group begins after a space, has an end, and holds no '=' and no lone '+' or '-';"
        )
        message = "'(' opens no group: it is text"
    return message, f"{remedy} write '\\{bracket}' for a literal bracket."
