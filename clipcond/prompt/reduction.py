"""Reduce a prompt that changes, or makes several conditions, to the one text that is encoded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from clipcond.arguments import check_arguments
from clipcond.errors import excerpt
from clipcond.prompt.bare_notations import LOAD
from clipcond.prompt.composition import compose_call, find_and, find_parts, is_capitals
from clipcond.prompt.composition_slips import condition_issues, title_issues
from clipcond.prompt.editing import (
    Change,
    find_changes,
    find_forms,
    find_last_text,
    find_schedule,
    find_undrawn,
    never_changes,
    schedule_call,
)
from clipcond.prompt.misreadings import outer_weights, spoiled_issue
from clipcond.prompt.notations import MOST_WEIGHT, WEIGHT_WORD, weight_in
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.segments import MOST_ISSUES, Issue, in_order

# For each last step, the (text, weight) of every condition.
Timeline: TypeAlias = tuple[tuple[int, tuple[tuple[str, float], ...]], ...]
STEPS = 20
CHANGING = ("AND", "[", "【", "［")  # one of these is in every prompt that is reduced
_SHOWN = 40  # characters
_NETWORKS = ("lora", "lyco", "locon", "loha", "hypernet")
_LABELS = ("artist", "character", "copyright", "series", "style", "by")  # of a tag
_NAMED = 8  # texts
_WORD_BEFORE = re.compile(r"(?P<words>\w(?:[\w-]{0,39}\w)?)\s{0,3}\Z")
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
    remainder, issues = Remainder.whole(text), []
    at = find_and(text, fullwidth=fullwidth) if not negative and "AND" in text else None
    if at is not None:
        remainder, issue = _first_condition(text, at, fullwidth)
        issues.append(issue)
        if issue.code == "and":
            issues += condition_issues(text, fullwidth=fullwidth)
    if any(bracket in text for bracket in "[【［"):
        changes, spoiler = find_forms(remainder.text, fullwidth=fullwidth)
        if changes and spoiler is not None:
            issues.append(spoiled_issue(remainder, changes[0], spoiler))
            changes = ()
        reached, text = 0, remainder.text
        for change in changes:
            if change.start >= reached and len(issues) < MOST_ISSUES:
                reached = change.stop
                if not is_rest or any(text[slice(*span)].strip() for span in change.options):
                    issues.append(_change_issue(remainder, change, steps))
        if changes:
            issues += outer_weights(remainder, changes)
            remainder = remainder.only(find_last_text(remainder.text, changes, steps))
    return remainder, in_order(issues)


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
    parts = _conditions(remainder, negative, fullwidth)
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


def _conditions(
    remainder: Remainder, negative: bool, fullwidth: bool
) -> tuple[tuple[int, int, float], ...]:
    """Find (start, stop, weight) of every condition that A1111 draws."""
    with remainder.restore_errors():
        parts = find_parts(text := remainder.text, fullwidth=fullwidth)
    if negative or len(parts) == 1 or is_capitals(text, parts):
        return ((0, len(text), 1.0),)
    return parts


def undrawn_edits(
    remainder: Remainder, steps: int, *, negative: bool = False, fullwidth: bool = False
) -> tuple[Issue, ...]:
    """Make an issue of each edit and alternation of which so many steps do not draw all texts.

    A1111 draws a text that ends at step 5 in six steps: the last step of 20 is number 19.

    Args:
        remainder: what is read of a prompt.
        steps: how many are drawn.
        negative, fullwidth: as for `reduce_to_one_text`.
    """
    issues: list[Issue] = []
    for start, stop, _ in _conditions(remainder, negative, fullwidth):
        part = remainder.only([(start, stop)])
        for change, lost in find_undrawn(part.text, steps, fullwidth=fullwidth):
            is_known = never_changes(change) is not None or _is_numeric(part.text, change)
            make = _undrawn_texts if change.when is None else _undrawn_edit
            said = None if is_known else make(part.text, change, lost, steps)
            if said is not None and len(issues) < MOST_ISSUES:
                issues.append(Issue(said[0], part.at(change.start), said[1], "editing-undrawn"))
    return tuple(issues)


def _undrawn_edit(
    text: str, change: Change, lost: Sequence[int], steps: int
) -> tuple[str, str] | None:
    shown = excerpt(text[change.start : change.stop], _SHOWN)
    kept = excerpt(text[slice(*change.options[1 - lost[0]])].strip(), _SHOWN)
    message = f"{shown!r} never changes while denoising: {steps} steps draw only {kept!r}"
    if steps > 2:
        return message, f"Choose a step from 1 to {steps - 2}, or a fraction such as 0.5."
    return message, "Draw more steps."


def _undrawn_texts(
    text: str, change: Change, lost: Sequence[int], steps: int
) -> tuple[str, str] | None:
    """Say which texts of an alternation are never drawn; None if each is drawn elsewhere in it."""
    options = [text[start:stop].strip() for start, stop in change.options]
    drawn = {option for i, option in enumerate(options) if i not in lost}
    names = [excerpt(options[i], _SHOWN) for i in lost if options[i] not in drawn]
    if not names:
        return None
    shown = excerpt(text[change.start : change.stop], _SHOWN)
    listed = ", ".join(map(repr, names[:_NAMED])) + (", ..." if len(names) > _NAMED else "")
    message = f"{shown!r} alternates in vain: {steps} steps never draw {listed}"
    if len(options) >= steps:
        return message, f"Draw at least {len(options) + 1} steps, or write fewer texts."
    return message, "Write all texts in one pair of brackets, or give the outer ones more steps."


def misread_forms(
    remainder: Remainder, *, negative: bool = False, fullwidth: bool = False
) -> tuple[Issue, ...]:
    """Make an issue of each AND in a title, and each edit that may be a time or a ratio: `[3:2]`.

    Where one text is encoded, issues say already that they change what is drawn.

    Args:
        remainder, negative, fullwidth: as for `undrawn_edits`.
    """
    parts = _conditions(remainder, negative, fullwidth)
    issues = list(remainder.restore_issues(tuple(title_issues(remainder.text, parts))))
    for change in find_changes(remainder.text, fullwidth=fullwidth)[:MOST_ISSUES]:
        if remedy := _label_remedy(remainder.text, change):
            shown = excerpt(remainder.text[change.start : change.stop], _SHOWN)
            message = f"{shown!r} is prompt editing: a text that changes at {change.when}"
            issues.append(Issue(message, remainder.at(change.start), remedy, "editing-number"))
        elif _is_numeric(remainder.text, change):
            shown = excerpt(remainder.text[change.start : change.stop], _SHOWN)
            message = f"{shown!r} is prompt editing: a text that changes after step {change.when}"
            remedy = f"For text write \\{shown[:-1]}\\{shown[-1]}."
            issues.append(Issue(message, remainder.at(change.start), remedy, "editing-number"))
    return tuple(issues)


def _label_remedy(text: str, change: Change) -> str:
    """Say what to write for an edit that begins with the label of a LoRA or a tag; '' for others.

    `[lora:foo:0.8]` changes from `lora` to `foo`, and `[artist:wlop:0.8]` from `artist` to `wlop`.
    """
    label, *others = (text[start:stop].strip() for start, stop in change.options)
    when = (change.when or "").strip()
    is_network = bool(when) and label.lower() in _NETWORKS
    if not others or not (is_network or ("." in when and label.lower() in _LABELS)):
        return ""
    words = f"{label}:{excerpt(others[0], _SHOWN)}"
    return LOAD if is_network else f"For a weight write {weight_in('a1111', words, when)}."


def _is_numeric(text: str, change: Change) -> bool:
    """Whether an edit has digits only, as a time or a ratio has."""
    words = [text[start:stop] for start, stop in change.options]
    return "".join([*words, change.when or "-"]).replace(" ", "").isdigit()


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


def _change_issue(remainder: Remainder, change: Change, steps: int) -> Issue:
    """Make the issue of an edit: it changes, never changes, or is probably a weight."""
    shown, *texts = (
        remainder.text[start:stop] for start, stop in ((change.start, change.stop), *change.options)
    )
    when = (change.when or "").strip()
    is_short = texts[0] == "" and change.options[0][0] == change.options[1][0]  # [to:when]
    is_plain = is_short and not any(sign in texts[1] for sign in "(（:：")
    may_be_weight = is_plain and "." in when and 0 < float(when) <= MOST_WEIGHT
    message = f"{excerpt(shown, _SHOWN)!r} changes while denoising; only its last text is encoded"
    remedy, code = f"Encode the texts of {schedule_call(shown)} one by one.", "editing"
    if when and "." not in when and float(when) >= steps:
        message = (
            f"{excerpt(shown, _SHOWN)!r} changes after step {when}, which {steps} steps do not "
            "reach; only its first text is encoded"
        )
        remedy = f"Choose a step from 1 to {max(1, steps - 2)}, or a fraction such as 0.5. {remedy}"
    if (is_over := never_changes(change)) is not None:
        code, left = "editing-never", texts[is_over].strip()
        kept = f"only {excerpt(left, _SHOWN)!r}" if left else "nothing of it"
        message = f"{excerpt(shown, _SHOWN)!r} never changes while denoising; {kept} is encoded"
        example = "0.5".join(shown.rsplit(when, 1)) if when in shown else "[a:b:0.5]"
        remedy = f"Write a fraction of all steps below 1, or the number of a step: {example}."
    if label_remedy := _label_remedy(remainder.text, change):
        remedy = label_remedy
    start = change.start
    if may_be_weight:
        words = texts[1].strip()
        before = _WORD_BEFORE.search(remainder.text, max(0, start - _SHOWN), start)
        if before and re.fullmatch(WEIGHT_WORD, words):  # cat [weight: 1.3]
            start, words = before.start(), before["words"]
            message = message.replace(shown, remainder.text[start : change.stop])
        remedy = f"For a weight write {weight_in('a1111', excerpt(words, _SHOWN), when)}. {remedy}"
    return Issue(message, remainder.at(start), remedy, code=code)
