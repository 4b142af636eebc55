"""Make the issues of prompt editing: what changes, what never does, what was hardly meant as one.

Where one text is encoded, all that changes is an issue; where a picture is drawn step by step, only
what so many steps never draw, and what looks like something else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from clipcond.errors import excerpt
from clipcond.prompt.bare_notations import LOAD
from clipcond.prompt.editing import (
    Change,
    Undrawn,
    find_changes,
    find_forms,
    find_undrawn,
    never_changes,
    schedule_call,
)
from clipcond.prompt.misreadings import spoiled_issue
from clipcond.prompt.notations import MOST_WEIGHT, WEIGHT_WORD, weight_in
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.segments import MOST_ISSUES, Issue

SHOWN = 40  # characters
_NETWORKS = ("lora", "lyco", "locon", "loha", "hypernet")
_LABELS = ("artist", "character", "copyright", "series", "style", "by")  # of a tag
_NAMED = 8  # texts
_MOST_STEP = 2  # that may be a weight: [smile:2]
_WORD_BEFORE = re.compile(r"(?P<words>\w(?:[\w-]{0,39}\w)?)\s{0,3}\Z")
_LETTER = re.compile(r"[^\W\d_]")
_SYNTAX = re.compile(r"[()\[\]（）【】［］:：|｜\\]")


def change_issues(remainder: Remainder, changes: Sequence[Change], steps: int) -> Iterator[Issue]:
    """Make an issue of each edit and alternation of a text of which one moment is encoded.

    Of those within others only the ones that never change: they are as wrong where all is drawn.
    """
    reached = never = 0
    for change in changes:
        is_over = never_changes(change) is not None
        if change.start >= reached:
            reached = change.stop
            yield _change_issue(remainder, change, steps)
        elif is_over and change.start >= never:
            yield _never_issue(remainder, change, "drawn")
        never = max(never, change.stop) if is_over else never


def never_issues(part: Remainder, steps: int, *, fullwidth: bool = False) -> Iterator[Issue]:
    """Make an issue of each edit that never changes, of a condition behind the first AND.

    Args:
        part: the condition.
        steps: how many are drawn.
        fullwidth: whether full-width punctuation is syntax too.
    """
    changes, spoiler = find_forms(part.text, fullwidth=fullwidth)
    if changes and spoiler is not None:
        yield spoiled_issue(part, changes[0], spoiler)
        return
    reached = 0
    for change in changes:
        if change.start < reached:
            continue
        if never_changes(change) is not None:
            reached = change.stop
            yield _never_issue(part, change, "drawn")
        elif said := _beyond(part.text, change, steps):
            yield Issue(said[0], part.at(change.start), said[1], "editing")


def undrawn_issues(
    part: Remainder, steps: int, *, n_drawn: int | None = None, fullwidth: bool = False
) -> Iterator[Issue]:
    """Make an issue of each edit and alternation of which so many steps do not draw all texts.

    A1111 draws a text that ends at step 5 in six steps: the last step of 20 is number 19.

    Args:
        part: one condition of a prompt.
        steps: of the schedule.
        n_drawn: how many of them are drawn, from the first on; all by default.
        fullwidth: whether full-width punctuation is syntax too.
    """
    n_drawn = steps if n_drawn is None else n_drawn
    for undrawn in find_undrawn(part.text, steps, n_drawn=n_drawn, fullwidth=fullwidth):
        change = undrawn.change
        is_known = never_changes(change) is not None or _is_numeric(part.text, change)
        make = _undrawn_texts if change.when is None else _undrawn_edit
        said = None if is_known else make(part.text, undrawn, steps, n_drawn)
        if said is not None:
            yield Issue(said[0], part.at(change.start), said[1], "editing-undrawn")


def _undrawn_edit(text: str, undrawn: Undrawn, steps: int, n_drawn: int) -> tuple[str, str]:
    change = undrawn.change
    shown = excerpt(text[change.start : change.stop], SHOWN)
    kept = excerpt(text[slice(*change.options[1 - undrawn.lost[0]])].strip(), SHOWN)
    message = f"{shown!r} never changes while denoising: {n_drawn} steps draw only {kept!r}"
    first, last = undrawn.first, undrawn.last - 1  # the steps that it can change after
    if first <= last:
        return message, choose_step(first, last, steps)
    is_inner = (undrawn.first, undrawn.last) != (1, max(1, n_drawn - 1))
    return message, "Give the brackets around it more steps." if is_inner else "Draw more steps."


def choose_step(first: int, last: int, steps: int) -> str:
    """Say which steps an edit can change after, and a fraction that is one of them."""
    middle = [0.5, *(i / 10 for i in range(1, 10)), *(i / 1000 for i in range(1, 1000))]
    fraction = next((f"{f:g}" for f in middle if first <= int(f * steps) <= last), "0.5")
    which = f"step {first}" if first == last else f"a step from {first} to {last}"
    return f"Choose {which}, or a fraction such as {fraction}."


def _undrawn_texts(text: str, undrawn: Undrawn, steps: int, n_drawn: int) -> tuple[str, str] | None:
    """Say which texts of an alternation are never drawn; None if each is drawn elsewhere in it."""
    change, lost = undrawn.change, undrawn.lost
    options = [text[start:stop].strip() for start, stop in change.options]
    drawn = {option for i, option in enumerate(options) if i not in lost}
    names = [excerpt(options[i], SHOWN) for i in lost if options[i] not in drawn]
    if not names:
        return None
    shown = excerpt(text[change.start : change.stop], SHOWN)
    listed = ", ".join(map(repr, names[:_NAMED])) + (", ..." if len(names) > _NAMED else "")
    message = f"{shown!r} alternates in vain: {n_drawn} steps never draw {listed}"
    if len(options) >= n_drawn:
        needed = math.ceil((len(options) + 1) * steps / max(1, n_drawn))
        which = f"at least {needed} steps" if n_drawn >= steps else f"more steps, such as {needed}"
        return message, f"Draw {which}, or write fewer texts."
    return message, "Write all texts in one pair of brackets, or give the outer ones more steps."


def number_issues(remainder: Remainder, *, fullwidth: bool = False) -> Iterator[Issue]:
    """Make an issue of each edit that may be a time, a ratio or a weight: `[3:2]`, `[hat:0.8]`.

    Args:
        remainder: what is read of a prompt that is drawn step by step.
        fullwidth: whether full-width punctuation is syntax too.
    """
    text = remainder.text
    for change in islice(find_changes(text, fullwidth=fullwidth), MOST_ISSUES):
        shown = excerpt(text[change.start : change.stop], SHOWN)
        message, remedy = "", ""
        if remedy := _label_remedy(text, change):
            message = f"{shown!r} is prompt editing: a text that changes at {change.when}"
        elif _is_numeric(text, change):
            message = f"{shown!r} is prompt editing: a text that changes after step {change.when}"
            remedy = f"For text write \\{shown[:-1]}\\{shown[-1]}."
        elif _is_tag(text, change) and never_changes(change) is None:
            when = (change.when or "").strip()
            words = text[slice(*change.options[1])].strip()
            message = f"{shown!r} is prompt editing: a text that begins at {when}"
            written = weight_in("a1111", excerpt(words, SHOWN), when)
            remedy = f"For a weight write {written}; for editing write {shown[0]}:{shown[1:]}."
        if message:
            yield Issue(message, remainder.at(change.start), remedy, "editing-number")


def _is_tag(text: str, change: Change) -> bool:
    """Whether an edit may be a weight in square brackets, `[hat:0.8]` or `[hat:2]`.

    `a cat[ in the snow:0.5]` adds words to others: that is editing.
    """
    when = (change.when or "").strip()
    words = text[slice(*change.options[1])]
    if not when or change.options[0][0] != change.options[1][0] or words[:1].isspace():
        return False
    if not _LETTER.search(words) or _SYNTAX.search(words) or len(words) > SHOWN:
        return False
    before = text[change.start - 1 : change.start]
    is_free = not before.isalnum() or not before.isascii()
    return is_free and float(when) <= (MOST_WEIGHT if "." in when else _MOST_STEP)


def _label_remedy(text: str, change: Change) -> str:
    """Say what to write for an edit with the label of a LoRA or a tag, or a 0; '' for others.

    `[lora:foo:0.8]` changes from `lora` to `foo`, `[artist:wlop:0.8]` from `artist` to `wlop`, and
    `[cat:0:5]` from `cat` to `0`.
    """
    label, *others = (text[start:stop].strip() for start, stop in change.options)
    when = (change.when or "").strip()
    is_network = bool(when) and label.lower() in _NETWORKS
    if others == ["0"] and when.isdigit() and label:
        return f"Write [{excerpt(label, SHOWN)}:0.{when}]."
    if not others or not (is_network or ("." in when and label.lower() in _LABELS)):
        return ""
    words = f"{label}:{excerpt(others[0], SHOWN)}"
    return LOAD if is_network else f"For a weight write {weight_in('a1111', words, when)}."


def _is_numeric(text: str, change: Change) -> bool:
    """Whether an edit has digits only, as a time or a ratio has."""
    words = [text[start:stop] for start, stop in change.options]
    return "".join([*words, change.when or "-"]).replace(" ", "").isdigit()


def _change_issue(remainder: Remainder, change: Change, steps: int) -> Issue:
    """Make the issue of an edit: it changes, never changes, or is probably a weight."""
    text = remainder.text
    if never_changes(change) is not None:
        return _never_issue(remainder, change, "encoded")
    shown = text[change.start : change.stop]
    message = f"{excerpt(shown, SHOWN)!r} changes while denoising; only its last text is encoded"
    remedy = f"Encode the texts of {schedule_call(shown)} one by one."
    if said := _beyond(text, change, steps):
        message, remedy = said[0], f"{said[1]} {remedy}"
    if label_remedy := _label_remedy(text, change):
        remedy = label_remedy
    return _with_weight(remainder, change, Issue(message, change.start, remedy, "editing"))


def _beyond(text: str, change: Change, steps: int) -> tuple[str, str] | None:
    """Say of an edit that it changes after a step that is never reached; None if it is."""
    when = (change.when or "").strip()
    if not when or "." in when or float(when) < steps:
        return None
    shown = excerpt(text[change.start : change.stop], SHOWN)
    message = f"{shown!r} changes after step {when}, which {steps} steps do not reach; "
    message += "only its first text is encoded"
    return message, choose_step(1, max(1, steps - 2), steps)


def _never_issue(remainder: Remainder, change: Change, kept_is: str) -> Issue:
    """Make the issue of an edit that never changes.

    Args:
        kept_is: what becomes of its only text: "encoded", or "drawn".
    """
    text = remainder.text
    shown, when = text[change.start : change.stop], (change.when or "").strip()
    left = text[slice(*change.options[bool(never_changes(change))])].strip()
    kept = f"only {excerpt(left, SHOWN)!r}" if left else "nothing of it"
    message = f"{excerpt(shown, SHOWN)!r} never changes while denoising; {kept} is {kept_is}"
    example = "0.5".join(shown.rsplit(when, 1)) if when in shown else "[a:b:0.5]"
    remedy = f"Write a fraction of all steps below 1, or the number of a step: {example}."
    remedy = _label_remedy(text, change) or remedy
    return _with_weight(remainder, change, Issue(message, change.start, remedy, "editing-never"))


def _with_weight(remainder: Remainder, change: Change, issue: Issue) -> Issue:
    """Say how to write a weight too, if an edit may be one; its place becomes that in the prompt.

    Args:
        issue: of the edit, at its place in the text that remains.
    """
    text, start, message, remedy = remainder.text, change.start, issue.message, issue.remedy
    when = (change.when or "").strip()
    words = text[slice(*change.options[-1])].strip()
    is_short = change.options[0][0] == change.options[-1][0]  # [to:when]
    is_plain = is_short and not any(sign in words for sign in "(（:：")
    if is_plain and "." in when and 0 < float(when) <= MOST_WEIGHT:
        before = _WORD_BEFORE.search(text, max(0, start - SHOWN), start)
        if before and re.fullmatch(WEIGHT_WORD, words):  # cat [weight: 1.3]
            shown = text[start : change.stop]
            start, words = before.start(), before["words"]
            message = message.replace(shown, text[start : change.stop])
        remedy = f"For a weight write {weight_in('a1111', excerpt(words, SHOWN), when)}. {remedy}"
    return Issue(message, remainder.at(start), remedy, issue.code)
