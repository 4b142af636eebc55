r"""Read the syntax of compel: signs and numbers after words and brackets, blends, conjunctions.

    word++  word-  (two words)1.3  "two words"+     times 1.1, 0.9, 1.3; nesting multiplies
    ("a cat", "a dog").blend(0.7, 0.3)              one conditioning between several
    ("a cat", "a dog").and()                        several, one after the other
    a cat.swap(dog)  withLora(name, 0.5)            kept in `extras`, see below

A prompt is a blend, a conjunction, or phrases; `compel_grammar` has the grammar of phrases.
Neighbours of equal weight become one segment, with single spaces. A comma that touches what follows
is read with a space after it. `\(` `\)` `\"` are the bare character; other escapes keep their
backslash.

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
from operator import attrgetter

from clipcond.errors import PromptSyntaxError
from clipcond.prompt.compel_fragments import Fragments, SpacedPrompt
from clipcond.prompt.compel_grammar import NUMBER_OR_NAME, SPACE, PhraseReader
from clipcond.prompt.compel_nodes import Node
from clipcond.prompt.compel_slips import mended_source
from clipcond.prompt.segments import (
    MOST_ISSUES,
    Break,
    Issue,
    Lora,
    Mixture,
    Mode,
    ParsedPrompt,
    Part,
    Segment,
    Swap,
    in_order,
    sum_to_zero,
)

NO_NORMALIZE = "no_normalize"

_ENTRIES = rf"{NUMBER_OR_NAME}(?:[{SPACE}]*,[{SPACE}]*{NUMBER_OR_NAME})*"
_METHOD = re.compile(rf"[{SPACE}]*\.(and|add|blend)[{SPACE}]*\([{SPACE}]*({_ENTRIES})?[{SPACE}]*\)")
_ENTRY = re.compile(rf"[^{SPACE},]+")


def parse(text: str) -> ParsedPrompt:
    """Parse a prompt as compel does; what it accepts but was hardly meant becomes an issue.

    Raises:
        PromptSyntaxError: a blend with text after it, or with `.swap()` in it; a number of weights
            that does not fit; a weight that is no finite number, or a sum of 0.
    Source: compel 2.5.1: its results, see tests/parity/test_compel_text.py.
    """
    if not text.strip():
        return ParsedPrompt(text, (Segment("", 1.0, 0, len(text)),), syntax="compel")
    return _PromptReader(SpacedPrompt(text)).read()


@dataclass(frozen=True, slots=True)
class _MixedPrompts:
    """The parts of `(a, b).method(entries)`; positions are in the text with spaced commas.

    Args:
        method: "blend", "and" or "add".
        members: the prompts in the brackets.
        commas: where the commas between them are.
        entries: where each entry of the list of weights is.
        start, stop: where the list of weights begins, and where all of it ends.
    """

    method: str
    members: list[Node]
    commas: list[int]
    entries: list[tuple[int, int]]
    start: int
    stop: int


class _PromptReader:
    """Reads one prompt that is more than white space."""

    def __init__(self, spaced: SpacedPrompt) -> None:
        self.spaced = spaced
        self.phrases = PhraseReader(spaced.text)

    def read(self) -> ParsedPrompt:
        start = self.phrases.skip(0)
        loras = Fragments(self.spaced)
        at = self._add_loras(loras, start)
        mixed = self._mixed(at)
        if mixed is not None and mixed.method == "blend":
            return self._blend(mixed, loras)
        if mixed is not None and at == start:
            return self._conjunction(mixed)
        fragments = Fragments(self.spaced)
        for node in self.phrases.prompt(0, len(self.spaced.text)):
            fragments.add(node)
        fragments.close()
        return self._prompt([fragments], [], None)

    def _add_loras(self, loras: Fragments, at: int) -> int:
        """Read the calls for LoRAs from a position on; return where they end."""
        while lora := self.phrases.lora(at):
            loras.add(lora[0])
            at = self.phrases.skip(lora[1])
        return at

    def _mixed(self, at: int) -> _MixedPrompts | None:
        """Read a blend or conjunction that begins at a position; None if there is none."""
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
        start, stop = method.span(2) if method[2] else (method.start(1), method.start(1))
        entries = [entry.span() for entry in _ENTRY.finditer(text, start, stop)]
        return _MixedPrompts(method[1], members, commas, entries, start, method.end())

    def _conjunction(self, mixed: _MixedPrompts) -> ParsedPrompt:
        members = [self._fragments(node) for node in mixed.members]
        weights = self._weights(mixed, mixed.entries)
        after = self.phrases.skip(mixed.stop)
        issues = []
        if after < len(self.spaced.text):
            message = f"the text behind .{mixed.method}() is ignored"
            remedy = "Put it inside one of the prompts."
            issues.append(Issue(message, self.spaced.at(after), remedy, "not-encoded"))
        kept = [i for i, member in enumerate(members) if member.segments]
        members, weights = [members[i] for i in kept], [weights[i] for i in kept]
        mixture = None if weights in ([], [1.0]) else self._mixture(members, weights, "join")
        return self._prompt(members, [mixed.commas[i - 1] for i in kept[1:]], mixture, issues)

    def _blend(self, mixed: _MixedPrompts, loras: Fragments) -> ParsedPrompt:
        at = self._add_loras(loras, self.phrases.skip(mixed.stop))
        if at < len(self.spaced.text):
            remedy = "A blend is a whole prompt: put this inside one of its prompts."
            raise self._error("there is text behind .blend()", at, remedy)
        members = [self._fragments(node) for node in mixed.members]
        entries = mixed.entries
        is_sum = bool(entries) and self.spaced.text[slice(*entries[-1])] == NO_NORMALIZE
        weights = self._weights(mixed, entries[:-1] if is_sum else entries)
        if not is_sum and sum_to_zero(weights):
            remedy = f"Change one, or add {NO_NORMALIZE} behind the last."
            raise self._error("the weights of the blend sum to 0", mixed.start, remedy)
        for extra in chain.from_iterable(member.extras for member in members):
            if isinstance(extra, Swap):
                message, remedy = ".swap() has no meaning in a blend", "Take it out."
                raise PromptSyntaxError(message, self.spaced.source, extra.stop, remedy)
        mixture = self._mixture(members, weights, "sum" if is_sum else "mean")
        return self._prompt(members, mixed.commas, mixture, loras.issues, loras.extras)

    def _fragments(self, node: Node) -> Fragments:
        fragments = Fragments(self.spaced)
        fragments.add(node)
        fragments.close()
        return fragments

    def _weights(self, mixed: _MixedPrompts, entries: Sequence[tuple[int, int]]) -> list[float]:
        n_prompts = len(mixed.members)
        weights = [self.spaced.weight(*entry) for entry in entries] or [1.0] * n_prompts
        if len(weights) != n_prompts:
            message = f"prompts and weights differ in number: {n_prompts} and {len(weights)}"
            remedy = mended_source(self.spaced.source) or "Give one for each, or none at all."
            raise self._error(message, mixed.start, remedy)
        return weights

    def _mixture(
        self, members: Sequence[Fragments], weights: Sequence[float], mode: Mode
    ) -> Mixture:
        source = self.spaced.source
        prompts = (ParsedPrompt(source, tuple(m.segments), syntax="compel") for m in members)
        return Mixture(tuple(prompts), tuple(weights), mode)

    def _prompt(
        self,
        members: Sequence[Fragments],
        commas: Sequence[int],
        mixture: Mixture | None,
        issues: Sequence[Issue] = (),
        extras: Sequence[Lora | Swap] = (),
    ) -> ParsedPrompt:
        """Make the prompt of all members, with a break at each comma between them."""
        parts: list[Part] = []
        for i, member in enumerate(members):
            if i:
                at = self.spaced.at(commas[i - 1])
                parts.append(Break(at, at + 1))
            parts += member.segments
        all_issues = chain(issues, *(member.issues for member in members))
        all_extras = chain(extras, *(member.extras for member in members))
        return ParsedPrompt(
            self.spaced.source,
            tuple(parts),
            in_order(all_issues)[:MOST_ISSUES],
            "compel",
            mixture,
            tuple(sorted(all_extras, key=attrgetter("start"))),
        )

    def _error(self, message: str, position: int, remedy: str) -> PromptSyntaxError:
        return PromptSyntaxError(message, self.spaced.source, self.spaced.at(position), remedy)
