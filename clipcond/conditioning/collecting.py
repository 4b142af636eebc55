"""Collect the warnings of a call as issues, and warn of words that no tower reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from clipcond.conditioning.issues import collect_unread
from clipcond.errors import COLLECTED, ClipcondWarning, PromptWarning, warn
from clipcond.prompt import Issue, ParsedPrompt
from clipcond.towers.protocol import ReadsTexts


@contextmanager
def collect_warnings(*, shown: bool = True) -> Iterator[list[ClipcondWarning]]:
    """Collect what this thread warns of inside, whatever filters and other threads do.

    Args:
        shown: whether warnings are given as well; not where an outer collection keeps them back.
    """
    collected: list[ClipcondWarning] = []
    outer = COLLECTED.get()
    token = COLLECTED.set((collected, shown and (outer is None or outer[1])))
    try:
        yield collected
    finally:
        COLLECTED.reset(token)


def collected_issues(warned: Iterable[ClipcondWarning]) -> tuple[Issue, ...]:
    """List what was collected about prompts, each once."""
    own = (w for w in warned if isinstance(w, PromptWarning))
    found = (Issue(w.message, w.position, w.remedy, w.code, w.words, w.prompt) for w in own)
    return tuple(dict.fromkeys(found))


def issues_of_sides(
    warned: Iterable[ClipcondWarning], sides: Iterable[Iterable[str]]
) -> list[tuple[Issue, ...]]:
    """List the issues of positive and negative apart; those of no known prompt count for both.

    Args:
        warned: what was collected.
        sides: of each its prompts, as given and as the towers read them.
    """
    issues = collected_issues(warned)
    prompts = [set(side) for side in sides]
    known = set().union(*prompts)
    return [tuple(i for i in issues if i.prompt in own or i.prompt not in known) for own in prompts]


def warn_unread(parsed: Iterable[ParsedPrompt], towers: Sequence[ReadsTexts]) -> None:
    """Warn of words that the towers cannot read: once a call, but collect it for each prompt."""
    texts: dict[str, list[str]] = {}
    for p in parsed:  # of a prompt over time there are several texts
        texts.setdefault(p.source, []).extend(s.text for s in p.segments if not s.is_name)
    every = [text for own in texts.values() for text in own]
    for tower in towers:
        read = getattr(tower, "unread", lambda _: "")
        message = read(every)
        if message:
            warn(PromptWarning(message), collected=False)
            for source, own in texts.items():
                collect_unread(source, own, tower, message if len(texts) == 1 else read(own))
            return  # a pair reads the same language
