"""Hold what remains of a prompt when parts of it are left out, with its places in the prompt.

Positions in the text that remains can be turned into positions in what the user typed, so that a
caret is under the user's own words whatever was left out before them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TypeAlias, TypeVar

from clipcond.errors import PromptError
from clipcond.prompt.segments import Break, Issue, Lora, Mixture, ParsedPrompt, Segment, Swap

Span: TypeAlias = tuple[int, int]
Item = TypeVar("Item", Segment, Break, Lora, Swap, Segment | Break, Lora | Swap)


@dataclass(frozen=True, slots=True)
class Remainder:
    """The text that remains of `source`: the pieces source[start:stop] of `spans`, joined.

    Args:
        source: the prompt as it was typed.
        spans: in order; none is empty.
    """

    source: str
    spans: tuple[Span, ...]
    text: str = field(init=False)
    _starts: tuple[int, ...] = field(init=False, repr=False)  # of the spans, in the text

    def __post_init__(self) -> None:
        pieces = [self.source[start:stop] for start, stop in self.spans]
        object.__setattr__(self, "text", "".join(pieces))
        object.__setattr__(self, "_starts", tuple(accumulate(map(len, pieces), initial=0)))

    @classmethod
    def whole(cls, source: str) -> Remainder:
        """Keep all of a prompt."""
        return cls(source, ((0, len(source)),) if source else ())

    def at(self, position: int) -> int:
        """Turn a position in the text into one in the source; its end, into the end."""
        if position >= len(self.text):
            return len(self.source)
        index = bisect_right(self._starts, position) - 1
        return self.spans[index][0] + position - self._starts[index]

    def end(self, position: int) -> int:
        """Turn the end of a span of the text into the end of a span of the source."""
        return self.at(position - 1) + 1 if position else self.at(0)

    def only(self, spans: Sequence[Span]) -> Remainder:
        """Keep only these spans of the text, in order."""
        kept: list[Span] = []
        for start, stop in spans:
            while start < stop:
                index = bisect_right(self._starts, start) - 1
                end = min(stop, self._starts[index + 1])
                begin = self.spans[index][0] + start - self._starts[index]
                kept.append((begin, begin + end - start))
                start = end
        return Remainder(self.source, tuple(kept))

    def restore(self, parsed: ParsedPrompt) -> ParsedPrompt:
        """Give a prompt that was parsed from the text its source, and positions in it."""
        if self.text == self.source:
            return parsed

        def move(part: ParsedPrompt) -> ParsedPrompt:
            return replace(
                part,
                source=self.source,
                parts=tuple(self._move(each) for each in part.parts),
                issues=self.restore_issues(part.issues),
                extras=tuple(self._move(each) for each in part.extras),
            )

        mixture = parsed.mixture
        if mixture is not None:
            prompts = tuple(map(move, mixture.prompts))
            mixture = Mixture(prompts, mixture.weights, mixture.mode)
        return replace(move(parsed), mixture=mixture)

    def restore_issues(self, issues: Sequence[Issue]) -> tuple[Issue, ...]:
        """Give issues about the text positions in the source."""
        return tuple(replace(issue, position=self.at(issue.position)) for issue in issues)

    @contextmanager
    def restore_errors(self) -> Iterator[None]:
        """Give errors about the text the prompt as it was typed, and positions in it."""
        try:
            yield
        except PromptError as error:
            if error.source != self.text or self.text == self.source:
                raise
            position = self.at(error.position)
            raise type(error)(error.message, self.source, position, error.remedy) from error

    def _move(self, part: Item) -> Item:
        moved = replace(part, start=self.at(part.start), stop=self.end(part.stop))
        if isinstance(moved, Swap):
            return replace(moved, replacement=tuple(map(self._move, moved.replacement)))
        return moved
