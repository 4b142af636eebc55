r"""Phrases to segments: what brackets multiply to, which neighbours join, and where they stand."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from dataclasses import dataclass, field

from clipcond.errors import PromptSyntaxError, excerpt
from clipcond.prompt.compel_grammar import SPACE, Group, Loaded, Node, Piece, Swapped, Weighted
from clipcond.prompt.scanner import read_weight
from clipcond.prompt.segments import Issue, Lora, Segment, Swap

PLUS, MINUS = 1.1, 0.9

_COMMA = re.compile(r",(\S)")
_ESCAPES = re.compile(r'(\\+)(?=[()"])')
_GAP = re.compile(rf"[{SPACE}]+")
_BRACKET = re.compile(r"(?<!\\)[()]")


class Spaced:
    """A prompt with a space behind each comma that touches what follows.

    Of commas in a row every other one is looked at, as in the reference.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.text = _COMMA.sub(r", \1", source)
        places = (match.end() - 1 for match in _COMMA.finditer(source))
        self._spaces = [place + n for n, place in enumerate(places)]

    def at(self, position: int) -> int:
        """Where in the source a position of the text is."""
        return position - bisect_left(self._spaces, position)

    def weight(self, start: int, stop: int) -> float:
        """The number at text[start:stop].

        Raises:
            PromptSyntaxError: it is not a finite number.
        """
        return read_weight(self.source, self.at(start), self.at(stop))


@dataclass(slots=True)
class _Run:
    """Neighbouring pieces of equal weight."""

    weight: float
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class _End:
    """Where the original of a swap ends, which is encoded as if there were no swap."""

    swap: Swapped
    n_before: int  # segments in front of it


@dataclass(slots=True)
class Fragments:
    """Collects the segments of one prompt, of one member of a mixture, or of a replacement."""

    spaced: Spaced
    is_replacement: bool = False
    segments: list[Segment] = field(default_factory=list)
    extras: list[Lora | Swap] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    _run: _Run | None = None

    def add(self, node: Node, weight: float = 1.0) -> None:
        """Add all that a node says. What is still to be added waits in a list: no recursion.

        Raises:
            PromptSyntaxError: a weight is not finite.
        """
        waiting: list[tuple[Node | _End, float]] = [(node, weight)]
        while waiting:
            now, weight = waiting.pop()
            if isinstance(now, Piece):
                self._add_piece(now, weight)
            elif isinstance(now, Group):
                waiting += [(inner, weight) for inner in reversed(now.nodes)]
            elif isinstance(now, Weighted):
                # outermost first: the last bit of a product depends on the order
                waiting.append((now.node, weight * self._factor(now)))
            elif isinstance(now, Swapped):
                self.close()
                waiting += [(_End(now, len(self.segments)), weight), (now.node, weight)]
            elif isinstance(now, Loaded):
                self._add_lora(now)
            else:
                self._add_swap(now, weight)
        self.close()

    def close(self) -> None:
        """Make a segment of the pieces at hand; nothing joins it any more."""
        if self._run is None:
            return
        weight, pieces = self._run.weight, self._run.pieces
        start, stop = self.spaced.at(pieces[0].start), self.spaced.at(pieces[-1].stop)
        if not math.isfinite(weight):
            message = f"the weights around this multiply to {weight}"
            raise PromptSyntaxError(message, self.spaced.source, start, "Nest fewer brackets.")
        self.segments.append(Segment(self._text_of(pieces), weight, start, stop))
        self._run = None

    def _add_piece(self, piece: Piece, weight: float) -> None:
        if piece.is_run and (bracket := _BRACKET.search(self.spaced.text, piece.start, piece.stop)):
            self.issues.append(_bracket_issue(bracket[0], self.spaced.at(bracket.start())))
        if self._run is not None and self._run.weight == weight:
            self._run.pieces.append(piece)
        else:
            self.close()
            self._run = _Run(weight, [piece])

    def _text_of(self, pieces: list[Piece]) -> str:
        """Joined by single spaces, escapes resolved.

        The reference takes a backslash off each escape whenever it makes a fragment: twice for a
        piece alone, and once more for the whole whenever it joins one.
        """
        text = self.spaced.text
        words = [w for piece in pieces for w in _GAP.split(text[piece.start : piece.stop])]
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

    def _add_swap(self, end: _End, weight: float) -> None:
        self.close()
        swap = end.swap
        start, stop = self.spaced.at(swap.start), self.spaced.at(swap.middle)
        if len(self.segments) == end.n_before:
            self.segments.append(Segment("", weight, start, stop))
        if self.is_replacement:  # what replaces a part of it will not be looked at
            return
        replacement = Fragments(self.spaced, is_replacement=True)
        replacement.add(swap.replacement, weight)
        self.extras += replacement.extras
        options = tuple((name, _value(value)) for name, value in swap.replacement.options)
        self.extras.append(Swap(tuple(replacement.segments), options, start, stop))
        message = "what .swap() puts in its place is not encoded, only what stands before it"
        self.issues.append(Issue(message, stop, "Encode both prompts, and change between them."))

    def _add_lora(self, lora: Loaded) -> None:
        start, stop = self.spaced.at(lora.start), self.spaced.at(lora.stop)
        weight = 1.0
        if lora.weight is not None:
            weight = self.spaced.weight(*lora.weight)
        self.extras.append(Lora(lora.name, weight, start, stop))
        message = f"the LoRA {excerpt(lora.name)!r} is left out of the text, and nothing loads it"
        remedy = "Load it into the pipeline: load_lora_weights."
        self.issues.append(Issue(message, start, remedy))


def _value(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def _bracket_issue(bracket: str, position: int) -> Issue:
    literal = f"write '\\{bracket}' for a literal bracket."
    if bracket == ")":
        return Issue("')' closes nothing: it is text", position, f"Remove it or {literal}")
    remedy = (
        "A group stands behind a space, has an end, and holds no '=' and no lone '+' or '-'; "
        f"{literal}"
    )
    return Issue("'(' opens no group: it is text", position, remedy)
