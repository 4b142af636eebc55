"""Reduce a prompt that changes, or makes several conditions, to the one text that is encoded."""

from __future__ import annotations

from itertools import chain, islice
from typing import TypeAlias

from clipcond.arguments import check_arguments
from clipcond.errors import excerpt
from clipcond.prompt.composition import compose_call, find_and, find_parts, is_capitals
from clipcond.prompt.composition_slips import condition_issues, title_issues
from clipcond.prompt.edit_issues import (
    change_issues,
    never_issues,
    number_issues,
    undrawn_issues,
)
from clipcond.prompt.editing import Change, find_forms, find_last_text, find_schedule
from clipcond.prompt.misreadings import outer_weights, spoiled_issue
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.segments import MOST_ISSUES, Issue, in_order

# For each last step, the (text, weight) of every condition.
Timeline: TypeAlias = tuple[tuple[int, tuple[tuple[str, float], ...]], ...]
STEPS = 20
CHANGING = ("AND", "[", "【", "［")  # one of these is in every prompt that is reduced
_SHOWN = 40  # characters
_WORD = "Write 'and' in small letters for the word"


def reduce_to_one_text(
    text: str, steps: int = STEPS, *, negative: bool = False, fullwidth: bool = False
) -> tuple[str, tuple[Issue, ...]]:
    """Reduce an A1111 prompt to the one text that a plain encoder can encode.

    The text is that of the last step, of the part before the first AND. A prompt without editing,
    alternation and AND comes back as it is: only if there is an AND, a closing `: number` is a
    weight, so `photo 16:9` keeps its `:9`, although `compose` would read a guidance of 9. In a
    prompt all in capitals AND is a word: `BLACK AND WHITE CAT`.

    Args:
        text: the prompt.
        steps: how many steps the sampler takes; decides where an alternation ends, and which edits
            come too late to happen.
        negative: AND is a word like any other, as in A1111's negative prompts.
        fullwidth: whether full-width punctuation is syntax too.
    Returns:
        the text, and an issue for everything that was left out, positions in the prompt.
    """
    check_arguments(text=text, steps=steps, negative=negative, fullwidth=fullwidth)
    reduced, issues = reduce(text, steps, negative=negative, fullwidth=fullwidth)
    return reduced.text, issues


def reduce(
    text: str,
    steps: int = STEPS,
    *,
    negative: bool = False,
    fullwidth: bool = False,
    is_rest: bool = False,
) -> tuple[Remainder, tuple[Issue, ...]]:
    """Do as `reduce_to_one_text`, and keep where in the prompt the text comes from.

    `is_rest`: networks were taken out, so nothing is lost with an edit that has no text.
    """
    whole = remainder = Remainder.whole(text)
    issues: list[Issue] = []
    at = find_and(text, fullwidth=fullwidth) if not negative and "AND" in text else None
    if at is not None:
        remainder, issue = _first_condition(text, at, fullwidth)
        issues.append(issue)
        if issue.code == "and":
            issues += condition_issues(text, fullwidth=fullwidth)
            for start, stop, _ in find_parts(text, fullwidth=fullwidth)[1:MOST_ISSUES]:
                issues += never_issues(whole.only([(start, stop)]), steps, fullwidth=fullwidth)
    if any(bracket in text for bracket in "[【［"):
        changes, spoiler = find_forms(remainder.text, fullwidth=fullwidth)
        if changes and spoiler is not None:
            issues.append(spoiled_issue(remainder, changes[0], spoiler))
            changes = ()
        meant = [c for c in changes if not is_rest or _has_text(remainder.text, c)]
        n_left = max(0, MOST_ISSUES - len(issues))
        issues += islice(change_issues(remainder, meant, steps), n_left)
        if changes:
            issues += outer_weights(remainder, changes)
            remainder = remainder.only(find_last_text(remainder.text, changes, steps))
    return remainder, in_order(issues)


def _has_text(text: str, change: Change) -> bool:
    return any(text[slice(*span)].strip() for span in change.options)


def timeline(
    text: str, steps: int = STEPS, *, negative: bool = False, fullwidth: bool = False
) -> Timeline:
    """List the conditions that A1111 draws with, each list with the last step at which it holds.

    Args:
        text, steps, negative, fullwidth: as for `reduce_to_one_text`.
    Returns:
        (until_step, ((text, weight), ...)) in order; of a prompt that never changes, one entry.
    """
    check_arguments(text=text, steps=steps, negative=negative, fullwidth=fullwidth)
    found = remainders_over_time(
        Remainder.whole(text), steps, negative=negative, fullwidth=fullwidth
    )
    return tuple((until, tuple((part.text, w) for part, w in parts)) for until, parts in found)


def remainders_over_time(
    remainder: Remainder, steps: int, *, negative: bool = False, fullwidth: bool = False
) -> tuple[tuple[int, tuple[tuple[Remainder, float], ...]], ...]:
    """Do as `timeline`, and keep where in the prompt each text comes from."""
    parts = find_conditions(remainder, negative=negative, fullwidth=fullwidth)
    weights = [weight for *_, weight in parts]
    texts = []
    for start, stop, _ in parts:
        part = remainder.only([(start, stop)])
        timed = find_schedule(part.text, steps, fullwidth=fullwidth)
        texts.append([(until, part.only(spans)) for until, spans in timed])
    found = []
    for until in sorted({until for each in texts for until, _ in each}):
        now = (next(held for last, held in each if last >= until) for each in texts)
        found.append((until, tuple(zip(now, weights, strict=True))))
    return tuple(found)


def find_conditions(
    remainder: Remainder, *, negative: bool = False, fullwidth: bool = False
) -> tuple[tuple[int, int, float], ...]:
    """Find (start, stop, weight) of every condition that A1111 draws."""
    with remainder.restore_errors():
        parts = find_parts(text := remainder.text, fullwidth=fullwidth)
    if negative or len(parts) == 1 or is_capitals(text, parts):
        return ((0, len(text), 1.0),)
    return parts


def undrawn_edits(
    remainder: Remainder,
    steps: int,
    *,
    n_drawn: int | None = None,
    negative: bool = False,
    fullwidth: bool = False,
) -> tuple[Issue, ...]:
    """Make an issue of each edit and alternation of which so many steps do not draw all texts.

    Args:
        remainder: what is read of a prompt.
        steps: of the schedule.
        n_drawn: how many of them are drawn, from the first on; all by default.
        negative, fullwidth: as for `reduce_to_one_text`.
    """
    parts = find_conditions(remainder, negative=negative, fullwidth=fullwidth)
    issues = (
        undrawn_issues(remainder.only([(start, stop)]), steps, n_drawn=n_drawn, fullwidth=fullwidth)
        for start, stop, _ in parts
    )
    return tuple(islice(chain.from_iterable(issues), MOST_ISSUES))


def misread_forms(
    remainder: Remainder, *, negative: bool = False, fullwidth: bool = False
) -> tuple[Issue, ...]:
    """Make an issue of each AND in a title, and each edit that may be a number: `[3:2]`.

    Where one text is encoded, issues say already that they change what is drawn.

    Args:
        remainder, negative, fullwidth: as for `undrawn_edits`.
    """
    parts = find_conditions(remainder, negative=negative, fullwidth=fullwidth)
    titles = remainder.restore_issues(tuple(title_issues(remainder.text, parts)))
    numbers = (
        number_issues(remainder.only([(start, stop)]), fullwidth=fullwidth)
        for start, stop, _ in parts
    )
    return (*titles, *islice(chain.from_iterable(numbers), MOST_ISSUES))


def _first_condition(text: str, at: int, fullwidth: bool) -> tuple[Remainder, Issue]:
    """Keep the condition before the first AND, or all of a prompt in capitals."""
    parts = find_parts(text, fullwidth=fullwidth)
    if is_capitals(text, parts):
        message = "AND is a word here, because all is in capitals"
        remedy = f"{_WORD}; write words in small letters to make several conditions."
        return Remainder.whole(text), Issue(message, at, remedy, code="and-in-capitals")
    (start, stop, _), lost = parts[0], text[at:].strip()
    message = (
        f"AND makes {len(parts)} conditions; only the first is encoded: "
        f"{excerpt(text[start:stop].strip(), _SHOWN)!r}; not encoded: {excerpt(lost, _SHOWN)!r}"
    )
    remedy = f"{_WORD}. For several conditions, encode the parts of {compose_call(text)} "
    issue = Issue(message, at, f"{remedy}one by one.", "and", (lost,))
    return Remainder.whole(text).only([(start, stop)]), issue
