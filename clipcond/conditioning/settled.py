"""Settle prompts that change: the texts of each step, ready to be encoded as they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from clipcond.arguments import check_arguments
from clipcond.errors import excerpt
from clipcond.prompt import ExtraNetwork, Issue
from clipcond.prompt.reduction import (
    find_conditions,
    misread_forms,
    remainders_over_time,
    undrawn_edits,
)
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.text_layers import take_out

if TYPE_CHECKING:
    from clipcond.conditioning.prompt_text import PromptReader

CHECKED_STEPS = 20  # as many as most pictures take
DRAWN = ("and", "editing")  # codes of the issues that a prompt drawn step by step does not have


class Settled(str):
    """A text of a prompt at some step: a prompt like any other, in which AND is a word.

    Args:
        remainder: the text, and where in the prompt it comes from.
        issues, networks: of the prompt; its first text has them.
    """

    __slots__ = ("issues", "networks", "remainder")
    remainder: Remainder
    issues: tuple[Issue, ...]
    networks: tuple[ExtraNetwork, ...]

    def __reduce__(self) -> tuple[type[Settled], tuple[object, ...]]:
        return type(self), (self.remainder, self.issues, self.networks)

    def __new__(
        cls,
        remainder: Remainder,
        issues: tuple[Issue, ...] = (),
        networks: tuple[ExtraNetwork, ...] = (),
    ) -> Settled:
        text = super().__new__(cls, remainder.text)
        text.remainder, text.issues, text.networks = remainder, issues, networks
        return text


# For each last step, the (text, weight) of every part.
OverTime: TypeAlias = tuple[tuple[int, tuple[tuple[Settled, float], ...]], ...]


def of_one_encoding(issue: Issue) -> Issue:
    """Say that what one encoding leaves out of a prompt is drawn by a pipeline."""
    if issue.code not in DRAWN:
        return issue
    return replace(issue, remedy=f"{issue.remedy} Pipelines of Stable Diffusion draw all of them.")


class SettlesTexts(ABC):
    """Settles prompts of the dialect of a Conditioner."""

    @property
    @abstractmethod
    def reader(self) -> PromptReader:
        """What reads the prompts of the dialect."""

    def changes(self, prompt: str, *, negative: bool = False) -> bool:
        """Whether a prompt has editing, alternation or AND, whatever the number of steps."""
        issues = self.reader.read(prompt, negative=negative).issues
        return any(issue.code in DRAWN for issue in issues)

    def over_time(
        self,
        prompt: str,
        steps: int,
        *,
        negative: bool = False,
        again: bool = False,
        limited: bool = True,
    ) -> OverTime:
        """List the texts that a prompt is drawn with, each list with its last step.

        A prompt of a dialect without editing and AND has one text, itself.

        Args:
            steps: how many steps the sampler takes.
            negative: AND is a word like any other.
            again: leave out issues and networks: already reported.
            limited: whether max_chunks also limits the number of conditions.
        Returns:
            (until_step, ((text, weight), ...)) in order; texts that a Conditioner encodes as they
            are, whatever brackets are left in them.
        Raises:
            PromptSyntaxError: the weight of a part is not finite.
        """
        check_arguments(text=prompt, steps=steps, negative=negative, again=again, limited=limited)
        reader = self.reader
        read = reader.read(prompt, negative=negative)
        issues = tuple(issue for issue in read.issues if issue.code not in DRAWN)
        whole = self._whole(prompt)
        if reader.dialect.settles and not again:
            wide = bool(reader.fullwidth)
            issues += misread_forms(whole, negative=negative, fullwidth=wide)
        first = [] if again else [(issues, read.networks)]
        timed: Sequence[tuple[int, Sequence[tuple[Remainder, float]]]]
        timed = [(steps, [(read.remainder or whole, 1.0)])]
        if reader.dialect.settles:
            wide = bool(reader.fullwidth)
            timed = remainders_over_time(whole, steps, negative=negative, fullwidth=wide)
        if limited and reader.max_chunks is not None and len(timed[0][1]) > reader.max_chunks:
            timed = [(until, parts[: reader.max_chunks]) for until, parts in timed]
            if first:
                cut = self.dropped_parts(prompt, negative=negative)
                first = [((*issues, *cut), read.networks)]
        return tuple(
            (until, tuple((Settled(part, *(first.pop() if first else ())), w) for part, w in parts))
            for until, parts in timed
        )

    def undrawn(
        self, prompt: str, steps: int, *, n_drawn: int | None = None, negative: bool = False
    ) -> tuple[Issue, ...]:
        """List an issue for each edit of a prompt that so many steps never show.

        Args:
            steps: of the schedule.
            n_drawn: how many of them are drawn, from the first on; all by default.
            negative: AND is a word like any other.
        """
        if not self.reader.dialect.settles:
            return ()
        wide = bool(self.reader.fullwidth)
        choices = {"negative": negative, "fullwidth": wide}
        return undrawn_edits(self._whole(prompt), steps, n_drawn=n_drawn, **choices)

    def _whole(self, prompt: str) -> Remainder:
        return take_out(prompt)[0] if self.reader.takes_out else Remainder.whole(prompt)

    def dropped_parts(self, prompt: str, *, negative: bool = False) -> tuple[Issue, ...]:
        """Make an issue of parts of AND that a limit of chunks drops: each is a chunk at least.

        Args:
            negative: AND is a word like any other.
        """
        reader, limit = self.reader, self.reader.max_chunks
        whole = self._whole(prompt)
        if limit is None or not reader.dialect.settles:
            return ()
        parts = find_conditions(whole, negative=negative, fullwidth=bool(reader.fullwidth))
        if len(parts) <= limit:
            return ()
        message = f"AND makes {len(parts)} parts of a chunk or more each; max_chunks takes {limit} "
        start, lost = parts[limit][0], whole.text[parts[limit][0] : parts[-1][1]].strip()
        message += f"in all; dropped: {excerpt(lost)!r}"
        remedy = "Write fewer parts, or give the Conditioner a higher max_chunks=."
        return (Issue(message, whole.at(start), remedy, "prompt-cut", (lost,)),)

    def _drawn(self, prompts: Sequence[str], *, negative: bool) -> list[str]:
        """List the texts that a pipeline draws of prompts that change, of all steps and parts."""
        changing = (prompt for prompt in prompts if self.changes(prompt, negative=negative))
        return [
            text
            for prompt in changing
            for _, parts in self.over_time(prompt, CHECKED_STEPS, negative=negative)
            for text, _ in parts
        ]
