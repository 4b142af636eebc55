r"""The syntax of compel: signs and numbers behind what they weigh, blends and conjunctions.

    word++  word-  (two words)1.3  "two words"+     times 1.1, 0.9, 1.3; nesting multiplies
    ("a cat", "a dog").blend(0.7, 0.3)              one conditioning between several
    ("a cat", "a dog").and()                        several, one after the other
    a cat.swap(dog)  withLora(name, 0.5)            kept in `extras`, see below

A prompt is a blend, a conjunction, or phrases, whose grammar stands in `phrases`. Neighbours of
equal weight become one segment, with single spaces. Behind every comma that touches what follows a
space is read. `\(` `\)` `\"` are the bare character; other escapes keep their backslash.

`.swap()` conditions on what is to be replaced, and a LoRA is no text; both become issues, and so
does what compel ignores.

Deviations, where compel raises: a prompt that comes to nothing, such as `()`, is the empty prompt,
within a blend too; an empty fragment below 1, as in `a ("")0.5`, does nothing; vertical tabs and
form feeds are white space. Where compel gives NaN or infinity: a blend whose weights sum to 0, and
weights that are not finite, are errors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from clipcond.errors import PromptSyntaxError
from clipcond.prompt.compel_grammar import NUMBER_OR_NAME, SPACE, Node, Phrases
from clipcond.prompt.compel_segments import Fragments, Spaced
from clipcond.prompt.segments import (
    MOST_ISSUES,
    Break,
    Issue,
    Lora,
    Mixture,
    ParsedPrompt,
    Part,
    Segment,
    Swap,
)

NO_NORMALIZE = "no_normalize"
# Weights are float32 where they act: a sum this small beside them is a sum of 0.
NO_SUM = 1e-6

_ENTRIES = rf"{NUMBER_OR_NAME}(?:[{SPACE}]*,[{SPACE}]*{NUMBER_OR_NAME})*"
_METHOD = re.compile(rf"[{SPACE}]*\.(and|add|blend)[{SPACE}]*\([{SPACE}]*({_ENTRIES})?[{SPACE}]*\)")
_ENTRY = re.compile(rf"[^{SPACE},]+")


def parse(text: str) -> ParsedPrompt:
    """Parse a prompt as compel does; whatever that accepts is accepted, with issues.

    Raises:
        PromptSyntaxError: a blend with text behind it, or with `.swap()` in it; a number of weights
            that does not fit; a weight that is no finite number, or a sum of 0.
    Source: compel 2.5.1: its results, see tests/parity/test_compel_text.py.
    """
    if not text.strip():
        return ParsedPrompt(text, (Segment("", 1.0, 0, len(text)),), syntax="compel")
    return _Reader(Spaced(text)).read()


@dataclass(frozen=True, slots=True)
class _Mixed:
    """What looks like `(a, b).method(entries)`; places are in the text with spaced commas.

    `commas` are the places of the first comma and those behind it; `entries` is where the list of
    weights stands, empty if there is none.
    """

    method: str
    members: list[Node]
    commas: list[int]
    entries: tuple[int, int]
    stop: int


class _Reader:
    """Reads one prompt that is more than white space."""

    def __init__(self, spaced: Spaced) -> None:
        self.spaced = spaced
        self.phrases = Phrases(spaced.text)

    def read(self) -> ParsedPrompt:
        at = self.phrases.skip(0)
        mixed = self._mixed(at)
        if mixed is not None and mixed.method != "blend":
            return self._conjunction(mixed)
        networks = Fragments(self.spaced)
        while mixed is None and (network := self.phrases.network(at)):
            networks.add(network[0])
            at = self.phrases.skip(network[1])
            mixed = self._mixed(at)
        if mixed is not None and mixed.method == "blend":
            return self._blend(mixed, networks)
        fragments = Fragments(self.spaced)
        fragments.add(self.phrases.prompt(0, len(self.spaced.text)))
        return self._prompt([fragments], [], None)

    def _mixed(self, at: int) -> _Mixed | None:
        """A blend or conjunction that begins here."""
        text, phrases = self.spaced.text, self.phrases
        members: list[Node] = []
        commas: list[int] = []
        is_open = text.startswith("(", at)
        while is_open:
            found = phrases.member(phrases.skip(at + 1))
            if found is None:
                return None
            members.append(found[0])
            at = phrases.skip(found[1])
            is_open = text.startswith(",", at)
            commas += [at] if is_open else []
        method = _METHOD.match(text, at + 1) if text.startswith(")", at) and members else None
        if method is None:
            return None
        entries = method.span(2) if method[2] else (method.start(1), method.start(1))
        return _Mixed(method[1], members, commas, entries, method.end())

    def _conjunction(self, mixed: _Mixed) -> ParsedPrompt:
        members = self._members(mixed)
        weights = self._weights(mixed, self._entries(mixed))
        behind = self.phrases.skip(mixed.stop)
        lost = []
        if behind < len(self.spaced.text):
            message = f"what stands behind .{mixed.method}() is ignored"
            remedy = "Put it inside one of the prompts."
            lost.append(Issue(message, self.spaced.at(behind), remedy))
        spoken = [i for i, member in enumerate(members) if member.segments]
        members, weights = [members[i] for i in spoken], [weights[i] for i in spoken]
        mixture = None if weights in ([], [1.0]) else self._mixture(members, weights, "join")
        breaks = [mixed.commas[i - 1] for i in spoken[1:]]
        return self._prompt(members, breaks, mixture, lost)

    def _blend(self, mixed: _Mixed, networks: Fragments) -> ParsedPrompt:
        at = self.phrases.skip(mixed.stop)
        while network := self.phrases.network(at):
            networks.add(network[0])
            at = self.phrases.skip(network[1])
        if at < len(self.spaced.text):
            remedy = "A blend is a whole prompt: put this inside one of its prompts."
            raise self._error("there is text behind .blend()", at, remedy)
        members = self._members(mixed)
        entries = self._entries(mixed)
        is_sum = bool(entries) and self._shown(entries[-1]) == NO_NORMALIZE
        weights = self._weights(mixed, entries[:-1] if is_sum else entries)
        if not is_sum and abs(sum(weights)) <= NO_SUM * sum(map(abs, weights)):
            remedy = f"Change one, or add {NO_NORMALIZE} behind the last."
            raise self._error("the weights of the blend sum to 0", mixed.entries[0], remedy)
        for extra in chain.from_iterable(member.extras for member in members):
            if isinstance(extra, Swap):
                message, remedy = ".swap() has no meaning in a blend", "Take it out."
                raise PromptSyntaxError(message, self.spaced.source, extra.stop, remedy)
        mixture = self._mixture(members, weights, "sum" if is_sum else "mean")
        return self._prompt(members, mixed.commas, mixture, networks.issues, networks.extras)

    def _members(self, mixed: _Mixed) -> list[Fragments]:
        members = [Fragments(self.spaced) for _ in mixed.members]
        for member, node in zip(members, mixed.members, strict=True):
            member.add(node)
        return members

    def _entries(self, mixed: _Mixed) -> list[tuple[int, int]]:
        """Where the entries of the list of weights stand."""
        return [entry.span() for entry in _ENTRY.finditer(self.spaced.text, *mixed.entries)]

    def _weights(self, mixed: _Mixed, entries: Sequence[tuple[int, int]]) -> list[float]:
        if not entries:
            return [1.0] * len(mixed.members)
        weights = [self.spaced.weight(*entry) for entry in entries]
        if len(weights) != len(mixed.members):
            n_prompts = len(mixed.members)
            message = f"prompts and weights differ in number: {n_prompts} and {len(weights)}"
            remedy = "Give one for each, or none at all."
            raise self._error(message, mixed.entries[0], remedy)
        return weights

    def _mixture(
        self,
        members: Sequence[Fragments],
        weights: Sequence[float],
        mode: Literal["join", "mean", "sum"],
    ) -> Mixture:
        source = self.spaced.source
        prompts = [
            ParsedPrompt(source, tuple(member.segments), syntax="compel") for member in members
        ]
        return Mixture(tuple(prompts), tuple(weights), mode)

    def _prompt(
        self,
        members: Sequence[Fragments],
        breaks: Sequence[int],
        mixture: Mixture | None,
        issues: Sequence[Issue] = (),
        extras: Sequence[Lora | Swap] = (),
    ) -> ParsedPrompt:
        """The prompt of all members; `breaks` are the places between them."""
        parts: list[Part] = []
        for i, member in enumerate(members):
            if i:
                at = self.spaced.at(breaks[i - 1])
                parts.append(Break(at, at + 1))
            parts += member.segments
        found = [*issues, *chain.from_iterable(member.issues for member in members)]
        found = sorted(found, key=lambda issue: issue.position)[:MOST_ISSUES]
        gathered = [*extras, *chain.from_iterable(member.extras for member in members)]
        gathered.sort(key=lambda extra: extra.start)
        source = self.spaced.source
        return ParsedPrompt(source, tuple(parts), tuple(found), "compel", mixture, tuple(gathered))

    def _shown(self, entry: tuple[int, int]) -> str:
        return self.spaced.text[slice(*entry)]

    def _error(self, message: str, position: int, remedy: str) -> PromptSyntaxError:
        return PromptSyntaxError(message, self.spaced.source, self.spaced.at(position), remedy)
