"""Gather what is wrong with the prompts of a call, for warnings and for programs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from clipcond.conditioning.results import Conditioning
from clipcond.errors import ClipcondWarning, PromptWarning, warn
from clipcond.prompt import Issue, ParsedPrompt
from clipcond.towers.base import TextTower

if TYPE_CHECKING:
    from clipcond.conditioning.prompt_text import Texts

__all__ = ["collected_issues", "limited_mixture", "warn_unread", "with_issues"]


def collected_issues(warned: Iterable[ClipcondWarning]) -> tuple[Issue, ...]:
    """List what was collected about prompts, each once."""
    own = (w for w in warned if isinstance(w, PromptWarning))
    found = (Issue(w.message, w.position, w.remedy, w.code, w.words, w.prompt) for w in own)
    return tuple(dict.fromkeys(found))


def with_issues(
    pair: Iterable[Conditioning],
    sides: Iterable[tuple[Iterable[str], Iterable[Texts]]],
    warned: Iterable[ClipcondWarning],
) -> list[Conditioning]:
    """Give positive and negative their own issues, and both those of no known prompt.

    Args:
        sides: of each the prompts as given, and what the towers read of them.
        warned: what was collected.
    """
    issues = collected_issues(warned)
    texts = [{*given, *(t.prompt for each in read for t in each)} for given, read in sides]
    known = set().union(*texts)
    return [
        replace(each, issues=tuple(i for i in issues if i.prompt in own or i.prompt not in known))
        for each, own in zip(pair, texts, strict=True)
    ]


def warn_unread(parsed: Iterable[ParsedPrompt], towers: Sequence[TextTower]) -> None:
    """Warn of words that the towers cannot read: once a call, but collect it for each prompt."""
    texts = {p.source: [s.text for s in p.segments if not s.is_name] for p in parsed}
    every = [text for own in texts.values() for text in own]
    for tower in towers:
        read = getattr(tower, "unread", _no_message)
        message = read(every)
        if message:
            warn(PromptWarning(message), collected=False)
            for source, own in texts.items():
                _collect_unread(source, own, tower, message if len(texts) == 1 else read(own))
            return  # a pair reads the same language


def _no_message(texts: Sequence[str]) -> str:
    return ""


def _collect_unread(source: str, texts: list[str], tower: TextTower, message: str) -> None:
    if not message:
        return
    find = getattr(tower, "unread_words", None)
    words = () if find is None else tuple(find(texts))
    at = re.search("|".join(map(re.escape, words)), source, re.IGNORECASE) if words else None
    position, code = 0 if at is None else at.start(), "unread-words"
    warning = PromptWarning(message, "", position, code=code, words=words, prompt=source)
    warn(warning, shown=False)


def limited_mixture(parsed: ParsedPrompt, limit: int | None) -> ParsedPrompt:
    """Drop the prompts of a mixture beyond the limit of chunks, with an issue."""
    mixture = parsed.mixture
    if mixture is None or limit is None or len(mixture.prompts) <= limit:
        return parsed
    message = f"{len(mixture.prompts)} prompts are mixed; max_chunks takes {limit}; the others are "
    message += "dropped"
    lost = mixture.prompts[limit].segments
    position = lost[0].start if lost else 0
    remedy = "Mix fewer, or give the Conditioner a higher max_chunks=."
    issue = Issue(message, position, remedy, "prompt-cut", tuple(s.text for s in lost))
    kept = replace(mixture, prompts=mixture.prompts[:limit], weights=mixture.weights[:limit])
    return replace(parsed, mixture=kept, issues=(*parsed.issues, issue))
