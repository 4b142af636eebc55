"""Read prompts: find the one text of each that is encoded, parse it, and collect the issues."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TypeAlias

from clipcond.checkpoints.inversion_lookup import find_inversion, inversion_names
from clipcond.conditioning import checks
from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.inversion_issues import with_inversion_issues, with_known_names
from clipcond.conditioning.issues import (
    collect_unread,
    limited_mixture,
    of_negative,
    without_known,
)
from clipcond.conditioning.settled import Settled, of_one_encoding
from clipcond.errors import COLLECTED, ClipcondWarning, PromptWarning, warn
from clipcond.prompt import ExtraNetwork, Issue, ParsedPrompt
from clipcond.prompt.lookalikes import with_lookalikes
from clipcond.prompt.reduction import CHANGING, Timeline, reduce, timeline
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.segments import in_order
from clipcond.prompt.text_layers import network_issues, take_out
from clipcond.towers.protocol import ReadsTexts

HALF = re.compile("[\ud800-\udfff]")  # a lone surrogate: half a character

KEPT_LENGTH = 2000  # characters, of parsed texts that are kept: a prompt often comes again

# None = as the dialect has it; a function receives the networks of a prompt.
ExtraNetworks: TypeAlias = bool | Callable[[Sequence[ExtraNetwork]], object] | None


@lru_cache(4096)
def _parse(read: Callable[[str], ParsedPrompt], text: str, wide: bool | None) -> ParsedPrompt:
    return with_lookalikes(read(text), fullwidth=wide)


def list_prompts(prompts: object, what: str = "prompt") -> list[str]:
    """Make a list of a string, or of a list or tuple of strings.

    Raises:
        PromptTypeError: anything else; says what and where.
        PromptError: no prompts at all, or one with half a character in it.
    """
    items = [prompts] if isinstance(prompts, str) else prompts
    if not isinstance(items, list | tuple) or not items:
        raise checks.not_prompts(prompts, what)
    if not all(isinstance(item, str) and not HALF.search(item) for item in items):
        raise checks.not_prompts(prompts, what)
    return list(items)


def list_each(prompts: object, n_prompts: int, what: str) -> list[str]:
    """Make a list of one negative (or second prompt) for each prompt; repeat one for all.

    Raises:
        PromptError: there are neither one nor `n_prompts`.
    """
    items = list_prompts(prompts, what)
    if len(items) not in (1, n_prompts):
        raise checks.unlike_numbers(len(items), n_prompts, what)
    return items * n_prompts if len(items) == 1 else items


@dataclass(frozen=True, slots=True)
class PromptText:
    """What is encoded of one prompt.

    Args:
        prompt: the prompt as it was typed.
        remainder: what remains of it; None = it is read whole.
        issues: what is left out of it, positions in the prompt.
        networks: the extra networks among that.
        negative: whether it is a negative prompt; the same text is read alike.
    """

    prompt: str
    remainder: Remainder | None = None
    issues: tuple[Issue, ...] = ()
    networks: tuple[ExtraNetwork, ...] = ()
    negative: bool = field(default=False, compare=False)

    @property
    def text(self) -> str:
        """The text itself."""
        return self.prompt if self.remainder is None else self.remainder.text


Texts: TypeAlias = tuple[PromptText, ...]  # of one prompt, for each tower


@dataclass(frozen=True, slots=True)
class PromptReader:
    """The reader of the prompts of one dialect.

    Args:
        syntax: the dialect's, as `find_syntax` finds it.
        towers: whose textual inversions and vocabularies count.
        extra_networks: whether comments and extra networks are taken out; None = as A1111 does, in
            its dialect; a function receives the networks of each prompt.
        fullwidth: whether full-width punctuation is syntax too; None = it is not, but nobody has
            said so.
        max_chunks: how many prompts of a mixture are read at most; None = all.
    """

    syntax: Callable[[str], ParsedPrompt]
    towers: Sequence[ReadsTexts]
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
            own = prompt.remainder
            return PromptText(own.source, own, prompt.issues, prompt.networks, negative)
        remainder: Remainder | None = None
        networks: tuple[ExtraNetwork, ...] = ()
        issues: list[Issue] = []
        wanted, wide = self.extra_networks, bool(self.fullwidth)
        if self.takes_out and any(sign in prompt for sign in "#<"):  # few prompts have any
            remainder, networks, comments = take_out(prompt)
            issues += comments
            choices = {"negative": negative, "loaded": callable(wanted)}
            issues += network_issues(prompt, networks, **choices)
        if self.dialect.settles and any(sign in prompt for sign in CHANGING):
            remainder = remainder or Remainder.whole(prompt)
            choices = {"negative": negative, "fullwidth": wide, "is_rest": bool(networks)}
            with remainder.restore_errors():
                reduced, changes = reduce(remainder.text, **choices)
            issues += map(of_one_encoding, remainder.restore_issues(changes))
            remainder = remainder.only(reduced.spans)
        return PromptText(prompt, remainder, in_order(issues), networks, negative)

    def read_each(
        self, texts: Sequence[str], texts_2: Sequence[str] | None, *, negative: bool
    ) -> list[Texts]:
        """Find for each prompt the text that each tower reads; `texts_2` are the second tower's."""
        columns = [texts] * len(self.towers)
        if texts_2 is not None:
            columns[1] = texts_2
            if self.dialect.appends_second:
                columns = [[" ".join(both) for both in zip(*columns, strict=True)]] * 2
        unique = {_origin(text): text for column in reversed(columns) for text in reversed(column)}
        read = {key: self.read(text, negative=negative) for key, text in unique.items()}
        found = ([read[_origin(text)] for text in column] for column in columns)
        return list(zip(*found, strict=True))

    def whole(self, text: PromptText) -> str:
        """The prompt with all of its editing, but for comments and extra networks."""
        is_cut = self.takes_out and any(sign in text.prompt for sign in "#<")
        return take_out(text.prompt)[0].text if is_cut else text.prompt

    def timeline(self, text: PromptText, *, negative: bool = False) -> Timeline:
        """List what A1111 draws with at each step; () if that is one text at all steps."""
        whole = self.whole(text)
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
        remainder = text.remainder
        with nullcontext() if remainder is None else remainder.restore_errors():
            parsed = self._parsed(text.text)
        if remainder is not None and any(issue.code == "weight" for issue in parsed.issues):
            whole = text if text.issues else self.read(text.prompt)
            parsed = without_known(parsed, remainder, whole.issues)
        has_any = any(getattr(getattr(t, "inversions", None), "by_name", None) for t in self.towers)
        names = inversion_names(self.towers) if has_any else ()
        parsed = with_inversion_issues(parsed, names) if names else parsed
        parsed = of_negative(parsed) if text.negative and parsed.issues else parsed
        parsed = parsed.with_names(partial(find_inversion, self.towers))
        parsed = with_known_names(parsed, names) if names else parsed
        parsed = parsed if remainder is None else remainder.restore(parsed)
        return parsed if parsed.mixture is None else limited_mixture(parsed, self.max_chunks)

    def _parsed(self, text: str) -> ParsedPrompt:
        """Parse a text, or look it up if it is short and the syntax one of ours."""
        is_kept = isinstance(self.dialect.syntax, str) and len(text) <= KEPT_LENGTH
        parse = _parse if is_kept else _parse.__wrapped__
        return parse(self.syntax, str(text), self.fullwidth)

    def parse_each(self, rows: Sequence[Sequence[Texts]]) -> dict[PromptText, ParsedPrompt]:
        """Parse every text of a call once: the prompts first, then the negatives."""
        found = (text for column in zip(*rows, strict=True) for texts in column for text in texts)
        return {text: self.parse(text) for text in dict.fromkeys(found)}

    def parse_and_warn(self, rows: Sequence[Sequence[Texts]]) -> dict[PromptText, ParsedPrompt]:
        """Parse every text of a call once, and warn as `warn` does."""
        self.warn(parsed := self.parse_each(rows))
        return parsed

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


def issues_of_each(
    warned: Iterable[ClipcondWarning],
    given: Iterable[Iterable[str]],
    read: Iterable[Iterable[Texts]],
) -> list[tuple[Issue, ...]]:
    """List the issues of positive and negative apart; those of no known prompt count for both.

    Args:
        warned: what was collected.
        given, read: the prompts of each as they were given, and as the towers read them.
    """
    pairs = zip(given, read, strict=True)
    sides = [{*own, *(text.prompt for texts in side for text in texts)} for own, side in pairs]
    issues, known = collected_issues(warned), set().union(*sides)
    return [tuple(i for i in issues if i.prompt in own or i.prompt not in known) for own in sides]


def _origin(text: str) -> tuple[str, Remainder | None]:
    """What makes a text the same as another: what it says, and which prompt it comes from."""
    return text, text.remainder if isinstance(text, Settled) else None


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


@contextmanager
def collect_warnings(*, shown: bool = True, deep: bool = False) -> Iterator[list[ClipcondWarning]]:
    """Collect what this thread warns of inside, whatever filters and other threads do.

    Args:
        shown: whether warnings are given as well; not where an outer collection keeps them back.
        deep: collect also what collections within this one do.
    """
    collected: list[ClipcondWarning] = []
    lists, is_shown = COLLECTED.get() or ((), True)
    own = ([], collected) if deep else (collected, *lists[1:])
    token = COLLECTED.set((own, shown and is_shown))
    try:
        yield collected
    finally:
        COLLECTED.reset(token)


def collected_issues(warned: Iterable[ClipcondWarning]) -> tuple[Issue, ...]:
    """List what was collected about prompts, each once."""
    own = (w for w in warned if isinstance(w, PromptWarning))
    found = (Issue(w.message, w.position, w.remedy, w.code, w.words, w.prompt) for w in own)
    return tuple(dict.fromkeys(found))


def warn_unread(parsed: Iterable[ParsedPrompt], towers: Sequence[ReadsTexts]) -> None:
    """Warn of words that the towers cannot read: once a call, but collect it for each prompt."""
    texts: dict[str, list[str]] = {}
    for p in parsed:  # of a prompt over time there are several texts
        texts.setdefault(p.source, []).extend(s.text for s in p.segments if not s.is_name)
    every = [text for own in texts.values() for text in own]
    for tower in towers:
        read = getattr(tower, "unread", lambda _: "")
        if message := read(every):
            warn(PromptWarning(message), collected=False)
            for source, own in texts.items():
                collect_unread(source, own, tower, message if len(texts) == 1 else read(own))
            return  # a pair reads the same language
