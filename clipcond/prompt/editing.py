r"""Read A1111's prompt editing and alternation: which text holds at which step.

    [from:to:when]  [to:when]  [from::when]     `from` up to step `when`, then `to`
    [a|b|c]                                     another one at every step

`when` without a dot is a step; with a dot it is a fraction of all steps, so `[b:1]` switches after
step 1 and `[b:1.0]` never. Forms nest, also in round brackets. Round brackets, `[x]` and escapes
are kept for the attention grammar. What only looks like a form stays text: `[a:b:c]`, `[a:b|c:3]`,
a bracket that is not closed. A stray bracket or colon does no harm outside of a form, but makes
every bracket around it text; a `|` that belongs to no form, or a backslash with nothing to escape,
makes the whole prompt text, which is then the same at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import clipcond.lazy_re as re
from clipcond.arguments import check_arguments
from clipcond.errors import ArgumentError
from clipcond.prompt.scanner import OPENING, ascii_signs

_LEXICON = re.compile(
    r"(?P<text>(?:[^\\\[\]():|]+|\\.)+)"
    r"|(?P<open>[(\[])"
    r"|(?P<close>[)\]])"
    r"|(?P<colon>:)"
    r"|(?P<bar>\|)"
    r"|(?P<backslash>\\)"
)
_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\s*")


@dataclass(frozen=True, slots=True)
class Change:
    """A place in a prompt where the text changes while denoising.

    Args:
        start, stop: the span of the square brackets and all between them, in the source.
        options: the spans of the texts to choose from; for an edit, the one before and after it.
        when: the number of an edit as it is written; None for an alternation.
    """

    start: int
    stop: int
    options: tuple[tuple[int, int], ...]
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Undrawn:
    """A change of which some texts are never drawn.

    Args:
        change: the edit or alternation.
        lost: which of its texts, counted from 0.
        first, last: the first and the last step, counted from 1, that draw a text of it.
    """

    change: Change
    lost: tuple[int, ...]
    first: int
    last: int


def schedule(
    text: str,
    steps: int,
    *,
    old_timelines: bool = False,
    base_steps: int | None = None,
    fullwidth: bool = False,
) -> tuple[tuple[int, str], ...]:
    """List the texts of a prompt, each with the last step, counted from 1, at which it holds.

    Args:
        text: the prompt; AND is a word like any other here, see `compose`.
        steps: how many steps the sampler takes.
        old_timelines: read `when` as webui did before 1.6: below 1 it is a fraction, dot or no dot.
        base_steps: this is a second, high resolution pass, and the first took so many steps: plain
            steps count from the start of the first pass, and fractions from 1.0 to 2.0 mean this
            one.
        fullwidth: whether full-width punctuation is syntax too: `【猫：狗：０.５】`.
    Returns:
        (until_step, text), the last until_step being `steps`; equal neighbours are not joined.
    Raises:
        ValueError: steps are below 1, or old timelines are asked for a second pass.
    Source: AUTOMATIC1111 webui 1.10, modules/prompt_parser.py, prompt schedules.
    """
    check_arguments(text=text, steps=steps, fullwidth=fullwidth)
    timed = find_schedule(
        text, steps, old_timelines=old_timelines, base_steps=base_steps, fullwidth=fullwidth
    )
    return tuple((step, "".join([text[a:b] for a, b in spans])) for step, spans in timed)


def find_schedule(
    text: str,
    steps: int,
    *,
    old_timelines: bool = False,
    base_steps: int | None = None,
    fullwidth: bool = False,
) -> tuple[tuple[int, tuple[tuple[int, int], ...]], ...]:
    """Do as `schedule`, with each text as the pieces of the prompt that it is made of."""
    for name, n in (("steps", steps), ("base_steps", base_steps)):
        if n is not None and n < 1:
            raise ArgumentError(f"{name} is a whole number from 1, not {n}")
    if old_timelines and base_steps is not None:
        raise ValueError("old timelines know no second pass: leave out base_steps or old_timelines")
    timed = [
        (change, _switch(change, steps, old_timelines, base_steps))
        for change in find_changes(text, fullwidth=fullwidth)
    ]
    boundaries = {steps} | {switch for _, switch in timed if switch}
    if any(switch is None for _, switch in timed):
        boundaries.update(range(1, steps + 1))
    steps_of = sorted(boundaries)
    return tuple((step, tuple(_pieces_at(len(text), timed, step))) for step in steps_of)


def find_last_text(source: str, changes: Sequence[Change], steps: int) -> list[tuple[int, int]]:
    """Find the pieces of the source that make the text of the last step.

    Args:
        changes: from `find_changes`.
        steps: how many steps the sampler takes.
    """
    timed = [(change, _switch(change, steps, False, None)) for change in changes]
    return _pieces_at(len(source), timed, steps)


def find_undrawn(
    text: str, steps: int, *, n_drawn: int | None = None, fullwidth: bool = False
) -> list[Undrawn]:
    """Find each change of which some texts are never drawn.

    The last of several steps is not drawn: of 20, counted from 0, that is number 19. What is inside
    of a text that is never drawn is left out.

    Args:
        n_drawn: how many of the steps are drawn, from the first on; all by default.
    """
    changes = find_changes(text, fullwidth=fullwidth)
    timed = [(change, _switch(change, steps, False, None)) for change in changes]
    n_texts = sum(len(change.options) for change in changes)
    drawn: set[tuple[int, int]] = set()  # where a change starts, and which text of it
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for step in range(1, max(2, steps if n_drawn is None else n_drawn)):
        if len(drawn) == n_texts:
            break
        now: set[tuple[int, int]] = set()
        _pieces_at(len(text), timed, step, now)
        drawn |= now
        for start, _ in now:
            first.setdefault(start, step)
            last[start] = step
    found = []
    for change in changes:
        start = change.start
        lost = [i for i in range(len(change.options)) if (start, i) not in drawn]
        if 0 < len(lost) < len(change.options):
            found.append(Undrawn(change, tuple(lost), first[start], last[start]))
    return found


def _switch(change: Change, steps: int, old_timelines: bool, base_steps: int | None) -> int | None:
    """Compute the last step of an edit's first text, 0 if it never holds; None: alternation."""
    if change.when is None:
        return None
    when = float(change.when)
    if old_timelines:
        when = when * steps if when < 1 else when
    elif "." in change.when:
        when = (when - (0.0 if base_steps is None else 1.0)) * steps
    else:
        when -= base_steps or 0
    return int(max(0.0, min(when, steps)))


def _pieces_at(
    length: int,
    timed: Sequence[tuple[Change, int | None]],
    step: int,
    chosen: set[tuple[int, int]] | None = None,
) -> list[tuple[int, int]]:
    """Find the pieces of a source of that length that make the text of a step.

    Args:
        chosen: takes the start of each change that is in that text, and which option of it is.
    """
    pieces = []
    position, index = 0, 0
    inside: list[tuple[int, int]] = []  # where chosen options stop, and where to go on
    while inside or index < len(timed):
        if inside and (index == len(timed) or inside[-1][0] <= timed[index][0].start):
            stop, resume = inside.pop()
        else:
            change, switch = timed[index]
            option = (step - 1) % len(change.options) if switch is None else int(step > switch)
            stop, (resume, end) = change.start, change.options[option]
            if chosen is not None:
                chosen.add((change.start, option))
            inside.append((end, change.stop))
        pieces.append((position, stop))
        position = resume
        while index < len(timed) and timed[index][0].start < position:
            index += 1
    return [*pieces, (position, length)]


@dataclass(slots=True)
class _Bracket:
    """An open bracket, and the positions of the marks directly inside."""

    kind: str
    start: int
    colons: list[int] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)


def schedule_call(edit: str) -> str:
    """Write the call that gives the texts of an edit over time, for a remedy."""
    return f"schedule(prompt, steps{'' if find_changes(edit) else ', fullwidth=True'})"


def find_changes(source: str, *, fullwidth: bool = False) -> tuple[Change, ...]:
    """Find all places where the text changes, in the order of the source, outer before inner."""
    found, spoiler = find_forms(source, fullwidth=fullwidth)
    return found if spoiler is None else ()


def find_forms(source: str, *, fullwidth: bool = False) -> tuple[tuple[Change, ...], int | None]:
    """Find all forms, and the position of the first sign that makes the whole prompt text."""
    found: list[Change] = []
    spoilers: list[int] = []
    stack: list[_Bracket] = []
    source = ascii_signs(source, fullwidth=fullwidth)
    for lexeme in _LEXICON.finditer(source):
        kind, start = lexeme.lastgroup, lexeme.start()
        if kind == "open":
            stack.append(_Bracket(source[start], start))
        elif kind == "colon" and stack:
            stack[-1].colons.append(start)
        elif kind == "bar" and stack and stack[-1].kind == "[":
            stack[-1].bars.append(start)
        elif kind in {"bar", "backslash"}:
            spoilers.append(start)
        elif kind == "close" and not _close(source, start, stack, found):
            # Nothing around a broken bracket can be a form: all brackets open here are text.
            spoilers += (bar for bracket in stack for bar in bracket.bars)
            stack.clear()
    spoilers += (bar for bracket in stack for bar in bracket.bars)
    return tuple(sorted(found, key=lambda change: change.start)), min(spoilers, default=None)


def _close(source: str, position: int, stack: list[_Bracket], found: list[Change]) -> bool:
    """Close the innermost bracket; return False, and leave it open, if it makes no form."""
    if not stack or stack[-1].kind != OPENING[source[position]]:
        return False
    bracket = stack[-1]
    if bracket.kind == "(" and len(bracket.colons) > 1:
        return False
    if bracket.kind == "[" and (bracket.colons or bracket.bars):
        change = _form(source, bracket, position)
        if change is None:
            return False
        found.append(change)
    stack.pop()
    return True


def _form(source: str, bracket: _Bracket, closing: int) -> Change | None:
    """Make a change of square brackets with colons or bars inside; None if they are no form."""
    begin, colons, bars = bracket.start + 1, bracket.colons, bracket.bars
    if bars:
        spans = zip([begin, *(bar + 1 for bar in bars)], [*bars, closing], strict=True)
        return None if colons else Change(bracket.start, closing + 1, tuple(spans))
    when = source[colons[-1] + 1 : closing]
    if len(colons) > 2 or not _NUMBER.fullmatch(when):
        return None
    is_pair = len(colons) == 2
    before = (begin, colons[0] if is_pair else begin)
    after = (colons[0] + 1 if is_pair else begin, colons[-1])
    return Change(bracket.start, closing + 1, (before, after), when)


def never_changes(change: Change) -> bool | None:
    """Say which text an edit shows if it never changes, whatever the number of steps.

    Returns:
        True = the second, False = the first, None = it may change.
    """
    when = (change.when or "").strip()
    is_share = "." in when
    if when and (float(when) <= 0 or (not is_share and float(when) < 1)):
        return True
    return False if is_share and float(when) >= 1 else None
