"""Read prompts: find the one text of each that is encoded, and parse it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from clipcond.checkpoints.textual_inversions import find_inversion
from clipcond.conditioning import checks
from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.issues import collected_issues, limited_mixture, warn_unread
from clipcond.conditioning.settled import Settled, of_one_encoding
from clipcond.errors import collect_warnings
from clipcond.prompt import ExtraNetwork, Issue, ParsedPrompt, parse
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.reduction import CHANGING, Timeline, reduce, timeline
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.text_layers import network_issues, take_out
from clipcond.towers.base import TextTower

__all__ = ["ExtraNetworks", "PromptReader", "PromptText", "Texts", "plain_texts"]

# None = as the dialect has it; a function receives the networks of a prompt.
ExtraNetworks: TypeAlias = bool | Callable[[Sequence[ExtraNetwork]], object] | None


@dataclass(frozen=True, slots=True)
class PromptText:
    """What is encoded of one prompt.

    Args:
        remainder: the text, and where in the prompt it comes from.
        issues: what is left out of it, positions in the prompt.
        networks: the extra networks among that.
    """

    remainder: Remainder
    issues: tuple[Issue, ...] = ()
    networks: tuple[ExtraNetwork, ...] = ()

    @property
    def text(self) -> str:
        """The text itself."""
        return self.remainder.text

    @property
    def prompt(self) -> str:
        """The prompt as it was typed."""
        return self.remainder.source


Texts: TypeAlias = tuple[PromptText, ...]  # of one prompt, for each tower


@dataclass(frozen=True, slots=True)
class PromptReader:
    """Reads the prompts of one dialect.

    Args:
        towers: whose textual inversions and vocabularies count.
        extra_networks: whether comments and extra networks are taken out; None = as A1111 does, in
            its dialect; a function receives the networks of each prompt.
        fullwidth: whether full-width punctuation is syntax too; None = it is not, but nobody has
            said so.
        max_chunks: how many prompts of a mixture are read at most; None = all.
    """

    towers: Sequence[TextTower]
    dialect: Dialect
    extra_networks: ExtraNetworks = None
    fullwidth: bool | None = None
    max_chunks: int | None = None

    @property
    def takes_out(self) -> bool:
        """Whether comments and extra networks are taken out."""
        wanted = self.extra_networks
        return self.dialect.takes_out if wanted is None else wanted is not False

    def read(self, prompt: str, *, negative: bool = False) -> PromptText:
        """Find what is encoded of a prompt; the function for networks is not called."""
        if isinstance(prompt, Settled):
            return PromptText(prompt.remainder, prompt.issues, prompt.networks)
        remainder = Remainder.whole(prompt)
        networks: tuple[ExtraNetwork, ...] = ()
        issues: list[Issue] = []
        wanted, wide = self.extra_networks, bool(self.fullwidth)
        # most prompts have none of these signs, and need no further walk
        if self.takes_out and any(sign in prompt for sign in "#<"):
            remainder, networks, comments = take_out(prompt)
            issues += comments
            if negative or not callable(wanted):
                issues += network_issues(prompt, networks, negative=negative)
        if self.dialect.settles and any(sign in remainder.text for sign in CHANGING):
            reduced, changes = reduce(remainder.text, negative=negative, fullwidth=wide)
            issues += map(of_one_encoding, remainder.restore_issues(changes))
            remainder = remainder.only(reduced.spans)
        issues.sort(key=lambda issue: issue.position)
        return PromptText(remainder, tuple(issues), networks)

    def read_each(
        self, texts: Sequence[str], texts_2: Sequence[str] | None, *, negative: bool = False
    ) -> list[Texts]:
        """Find for each prompt the text that each tower reads; `texts_2` are the second tower's."""
        columns = [texts] * len(self.towers)
        if texts_2 is not None:
            columns[1] = texts_2
            if self.dialect.appends_second:
                columns = [[" ".join(both) for both in zip(*columns, strict=True)]] * 2
        unique = dict.fromkeys(text for column in columns for text in column)
        read = {text: self.read(text, negative=negative) for text in unique}
        return list(zip(*([read[text] for text in column] for column in columns), strict=True))

    def timeline(self, text: PromptText, *, negative: bool = False) -> Timeline:
        """List what A1111 draws with at each step; () if that is one text at all steps."""
        whole = text.prompt
        if self.takes_out:
            whole = take_out(whole)[0].text
        if not self.dialect.settles or whole == text.text:
            return ()
        return timeline(whole, negative=negative, fullwidth=bool(self.fullwidth))

    def hand_over(self, prompts: Sequence[Texts]) -> None:
        """Give the networks of each prompt to the function for them, if there is one."""
        wanted = self.extra_networks
        if callable(wanted):
            for text in dict.fromkeys(text for texts in prompts for text in texts):
                if text.networks:
                    wanted(text.networks)

    def parse(self, text: PromptText) -> ParsedPrompt:
        """Parse what is encoded of a prompt; positions are those in the prompt."""
        parsed = parse(text.text, self.dialect.syntax, fullwidth=bool(self.fullwidth))
        parsed = with_lookalikes(parsed, fullwidth=self.fullwidth)
        parsed = parsed.with_names(partial(find_inversion, self.towers))
        return limited_mixture(text.remainder.restore(parsed), self.max_chunks)

    def parse_each(self, rows: Sequence[Sequence[Texts]]) -> dict[PromptText, ParsedPrompt]:
        """Parse every text of a call once: the prompts first, then the negatives."""
        found = (text for column in zip(*rows, strict=True) for texts in column for text in texts)
        return {text: self.parse(text) for text in dict.fromkeys(found)}

    def warn(self, parsed: Mapping[PromptText, ParsedPrompt]) -> None:
        """Warn of what was hardly meant in the prompts, and of what the towers cannot read."""
        known: set[tuple[str, Issue]] = set()  # the texts of one prompt may share them
        for issues in ([t.issues for t in parsed], [p.issues for p in parsed.values()]):
            for text, found in zip(parsed, issues, strict=True):
                new = [issue for issue in found if (text.prompt, issue) not in known]
                if new:
                    checks.warn_issues(text.prompt, new)
                    known.update((text.prompt, issue) for issue in new)
        warn_unread(parsed.values(), self.towers)

    def issues(self, text: PromptText, parsed: ParsedPrompt) -> tuple[Issue, ...]:
        """List all issues of one prompt in order, with what the towers cannot read of it."""
        with collect_warnings(shown=False) as warned:
            self.warn({text: parsed})
        return tuple(sorted(collected_issues(warned), key=lambda issue: issue.position))


def plain_texts(
    rows: Sequence[Sequence[Texts]], parsed: Mapping[PromptText, ParsedPrompt]
) -> tuple[list[list[tuple[str, ...]]], dict[str, ParsedPrompt]]:
    """Make strings of the texts of a call, and find how each is parsed.

    Where two prompts come to the same text, the first is what carets show.
    """
    by_text: dict[str, ParsedPrompt] = {}
    for text, prompt in parsed.items():
        by_text.setdefault(text.text, prompt)
    return [[tuple(each.text for each in texts) for texts in row] for row in rows], by_text
