"""Make the issues of words that no tower reads, and of mixtures of too many prompts."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from operator import itemgetter

from clipcond.errors import PromptError, PromptWarning, warn
from clipcond.prompt import Issue, ParsedPrompt
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.segments import in_order, sum_to_zero
from clipcond.towers.protocol import ReadsTexts

_NEAR = 4  # characters, between the ends of two issues about one number


def collect_unread(source: str, texts: list[str], tower: ReadsTexts, message: str) -> None:
    if not message:
        return
    find = getattr(tower, "unread_words", None)
    words = () if find is None else tuple(find(texts))
    position, code = find_word(source, words), "unread-words"
    warning = PromptWarning(message, "", position, code=code, words=words, prompt=source)
    warn(warning, shown=False)


def find_word(source: str, words: Sequence[str]) -> int:
    """Find the first of some words: a whole one, or part of a text without spaces; 0 if none is."""
    any_word = f"(?:{'|'.join(map(re.escape, words))})"
    patterns = (rf"(?<!\w){any_word}(?!\w)", any_word) if words else ()
    found = (re.search(pattern, source, re.IGNORECASE) for pattern in patterns)
    return next((match.start() for match in found if match is not None), 0)


def without_known(
    parsed: ParsedPrompt, remainder: Remainder, known: Sequence[Issue]
) -> ParsedPrompt:
    """Leave out the issues about weights that the whole prompt has an issue about already.

    Behind an edit or at the end of a condition a number is no weight; in one text of the prompt the
    same number looks like a weight without brackets.

    Args:
        parsed: from the text that remains of the prompt.
        known: of the prompt.
    """
    is_split = "AND" not in parsed.source
    codes = {"weight", "and-weight"} if is_split else {"weight"}
    places = [(i.position, i.position + len(w)) for i in known if i.code in codes for w in i.words]

    def is_known(issue: Issue) -> bool:
        if issue.code != "weight" or not issue.words:
            return False
        end = issue.position + len(issue.words[0])
        span = remainder.at(issue.position), remainder.end(min(end, len(remainder.text)))
        return any(
            start < span[1] and span[0] < stop and abs(stop - span[1]) <= _NEAR
            for start, stop in places
        )

    return replace(parsed, issues=tuple(i for i in parsed.issues if not is_known(i)))


_GIVE = re.compile(r"Leave it out, and give (?P<words>.*) as the negative prompt\.", re.DOTALL)


def of_negative(parsed: ParsedPrompt) -> ParsedPrompt:
    """Word the issues of a negative prompt that say to give it apart: a label, `--no dog`."""
    issues = []
    for issue in parsed.issues:
        remedy = issue.remedy
        if issue.code == "negative-label":
            remedy = "Leave it out."
        elif found := _GIVE.fullmatch(remedy):
            remedy = f"Write {found['words']}."
        issues.append(issue if remedy == issue.remedy else replace(issue, remedy=remedy))
    return replace(parsed, issues=tuple(issues))


def limited_mixture(parsed: ParsedPrompt, limit: int | None) -> ParsedPrompt:
    """Drop the prompts of a mixture beyond the limit of chunks, with an issue.

    Raises:
        PromptError: a mean of those that are left would divide by a sum of 0.
    """
    mixture = parsed.mixture
    if mixture is None or limit is None or len(mixture.prompts) <= limit:
        return parsed
    message = f"{len(mixture.prompts)} prompts are mixed; max_chunks takes {limit}; the others are "
    message += "dropped"
    lost = mixture.prompts[limit].segments
    position = lost[0].start if lost else 0
    remedy = "Mix fewer, or give the Conditioner a higher max_chunks=."
    issue = Issue(message, position, remedy, "prompt-cut", tuple(s.text for s in lost))
    weights = mixture.weights[:limit]
    if mixture.mode == "mean" and sum_to_zero(weights):
        what = f"the weights of the first {limit} prompts sum to 0, and {message}"
        raise PromptError(what, parsed.source, position, f"Change a weight. {remedy}")
    n_parts = sum(len(prompt.parts) + 1 for prompt in mixture.prompts[:limit]) - 1
    kept = replace(mixture, prompts=mixture.prompts[:limit], weights=weights)
    parts, issues = parsed.parts[:n_parts], in_order([*parsed.issues, issue])
    return replace(parsed, parts=parts, mixture=kept, issues=issues)


def issues_of(sides: Sequence[Collection[str]], issues: Sequence[Issue]) -> list[tuple[Issue, ...]]:
    """List for each group of prompts its own issues, and those of no prompt of any group."""
    by_prompt: dict[str, list[tuple[int, Issue]]] = {}
    for place, issue in enumerate(issues):
        by_prompt.setdefault(issue.prompt, []).append((place, issue))
    of_none = by_prompt.keys() - set().union(*sides)
    found = ([i for p in {*own, *of_none} for i in by_prompt.get(p, ())] for own in sides)
    return [tuple(issue for _, issue in sorted(own, key=itemgetter(0))) for own in found]
