"""Find what in a prompt means more elsewhere than to the syntax that reads it.

Prompts are copied from page to page, and nothing in `(cat:1.3)` says which tool it was written for.
To another tool it is not an error but text, which silently does something else. The tables are in
`weight_slips`, `editing_slips`, `bare_notations`, `other_tools` and `other_dialects`.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import TypeAlias

from clipcond.errors import excerpt
from clipcond.prompt.bare_notations import BARE_NETWORKS, BARE_NOTATIONS
from clipcond.prompt.bracket_misreadings import without_consequences
from clipcond.prompt.bracket_slips import (
    BRACKET_SLIPS,
    between,
    meant_weight,
    with_brackets,
)
from clipcond.prompt.compel_doubts import doubtful_weights
from clipcond.prompt.compel_slips import CALL, COMPEL_SLIPS, mended_call
from clipcond.prompt.compel_weights import COMPEL_WEIGHTS
from clipcond.prompt.editing_slips import EDITING_SLIPS, READ_WIDE
from clipcond.prompt.escapes import ESCAPES, escape_names, without_escapes
from clipcond.prompt.folding import fold, odd_signs
from clipcond.prompt.fullwidth_notations import FULLWIDTH, JOINED, JOINED_UNASKED
from clipcond.prompt.misreadings import MAY_BE_MISREAD, find_misreadings
from clipcond.prompt.notations import (
    CJK,
    MOST_WEIGHT,
    Notation,
    alternation_of,
    plain_share,
    weight_in,
    weights_in,
)
from clipcond.prompt.novelai_slips import NOVELAI_SLIPS
from clipcond.prompt.numerals import NO_NUMBER
from clipcond.prompt.ordinary import ordinary_spans, shown_group
from clipcond.prompt.other_dialects import CHOOSE_A1111, LOOKALIKES, WEIGHT_HERE
from clipcond.prompt.other_tools import OTHER_TOOLS
from clipcond.prompt.parsing import parse, reads_fullwidth
from clipcond.prompt.remedy_words import as_typed, holds_form, nested_weight, part_start, readable
from clipcond.prompt.scanner import OPENING, SPOILS, ascii_signs, is_never_closed
from clipcond.prompt.segments import MOST_ISSUES, Issue, ParsedPrompt, Segment, in_order
from clipcond.prompt.square_groups import SQUARE_GROUPS
from clipcond.prompt.tool_words import TOOL_WORDS
from clipcond.prompt.unfinished_forms import OUTSIDE, UNFINISHED_FORMS
from clipcond.prompt.unopened import NEVER_OPENED, ROUNDLESS, unopened_weights
from clipcond.prompt.weight_slips import WEIGHT_SLIPS

SHOWN = 40  # characters
Found: TypeAlias = tuple[int, int, Issue]  # where it begins and ends, and what is said of it
_USEFUL = "Useful weights are between 0 and 2"
_LITERAL = f"{_USEFUL}; brackets that are text are written \\( and \\)."
_COLONS = (":", "：")
_HOLDING = (CALL, "novelai-weight", "html")
_OPENING = "".join(OPENING.values())
_STRAY = tuple("()（）")
_SMILEY = re.compile(rf"(?:(?<!\S)|(?<=[^\w\s])|(?<=[{CJK}]))[>]?[:;=：；]['\-^]?\Z")
_WORD = re.compile(r"\w")
_TWICE = re.compile(r"[(（]\s*[(（]")


def with_lookalikes(parsed: ParsedPrompt, *, fullwidth: bool | None = False) -> ParsedPrompt:
    """Add an issue for each thing in a prompt that would mean more in another dialect.

    Args:
        fullwidth: whether full-width punctuation was read as syntax; None = it was not, but the
            user has not said so, which adds issues about it.
    """
    folded = parsed.source if parsed.source.isascii() else fold(parsed.source)
    kinds, by_sign, always = _kinds(parsed.syntax, fullwidth)
    signs = by_sign.keys() & {*parsed.source, *folded}
    possible = sorted({*always, *(i for sign in signs for i in by_sign[sign])})
    found = (
        list(unopened_weights(parsed, folded))
        if parsed.issues or parsed.syntax in ROUNDLESS
        else []
    )
    found += [each for i in possible for each in _find(parsed, folded, kinds[i], fullwidth is True)]
    added = _heavy(parsed)
    if parsed.parts and MAY_BE_MISREAD.search(folded):
        known = [issue.position for issue in added]
        added += find_misreadings(parsed, known, fullwidth=bool(fullwidth))
    doubts = list(doubtful_weights(parsed)) if parsed.syntax == "compel" else []
    if not (found or added or doubts or parsed.issues):
        return parsed
    is_ordinary = ordinary_spans(parsed, {i.code for i in (*parsed.issues, *(f[2] for f in found))})
    found = [each for each in found if not is_ordinary(each[2].code, *each[:2])]
    chosen = _one_a_place(_without_outer(found))
    calls = [span for *span, issue in chosen if _holds_brackets(issue)]
    last = max(map(parsed.source.rfind, "(（"))  # bracket that others may spoil
    kept = [
        issue
        for issue in without_consequences(parsed.issues, added)
        if not _is_smiley(parsed.source, issue)
        and (
            (issue.message.endswith(SPOILS) and issue.position < last)
            or not is_ordinary(issue.code, issue.position, issue.position + 1)
        )
        and not any(start <= issue.position < stop for start, stop in calls)
    ]
    added += [issue for *_, issue in chosen]
    starts = [start for start, *_ in chosen]  # of an option too: a cat--ar 16:9
    added += [i for i in doubts if not any(0 <= at - i.position < len(i.words[0]) for at in starts)]
    return replace(parsed, issues=in_order([*kept, *added])[:MOST_ISSUES])


@cache
def _kinds(
    syntax: str, fullwidth: bool | None
) -> tuple[tuple[Notation, ...], dict[str, list[int]], list[int]]:
    """List what a syntax reads as text, its indices by sign, and those whose signs are words."""
    more = {True: READ_WIDE, False: JOINED, None: (*JOINED_UNASKED, *FULLWIDTH)}[fullwidth]
    slips = (
        *UNFINISHED_FORMS,
        *ESCAPES,
        *COMPEL_SLIPS,
        *COMPEL_WEIGHTS,
        *BRACKET_SLIPS,
        *WEIGHT_SLIPS,
        *NOVELAI_SLIPS,
    )
    tools = (*OTHER_TOOLS, *EDITING_SLIPS, *LOOKALIKES, *SQUARE_GROUPS, *BARE_NOTATIONS)
    all_kinds = (*BARE_NETWORKS, *TOOL_WORDS, *slips, *tools, *more)
    kinds = tuple(kind for kind in all_kinds if syntax in kind.readers)
    by_sign: dict[str, list[int]] = {}
    for i, kind in enumerate(kinds):
        for sign in {*kind.signs}:
            by_sign.setdefault(sign, []).append(i)
    always = [i for sign in list(by_sign) if len(sign) != 1 for i in by_sign.pop(sign)]
    return kinds, by_sign, always


def _without_outer(found: Sequence[Found]) -> list[Found]:
    """Leave out two brackets around a weight that is wrong itself: `((猫：两倍))`."""
    wrong = {start for start, _, issue in found if issue.message.endswith(NO_NUMBER)}
    return [
        (start, stop, issue)
        for start, stop, issue in found
        if not (issue.message.endswith(WEIGHT_HERE) and _TWICE.match(issue.words[0]))
        or wrong.isdisjoint(range(issue.position + 1, stop))
    ]


def _one_a_place(found: Sequence[Found]) -> list[Found]:
    """Choose the first of those that overlap: `1.3::cat::` holds `cat::`."""
    chosen: list[Found] = []
    taken = [(-1, -1)]
    for start, stop, issue in sorted(found, key=lambda each: each[2].position):
        index = bisect_right(taken, (start, stop))
        before, *after = taken[index - 1 : index + 1]
        if start >= before[1] and all(stop <= each[0] for each in after):
            chosen.append((start, stop, issue))
            taken.insert(index, (start, stop))
    return chosen


def _holds_brackets(issue: Issue) -> bool:
    """Whether what is said of the brackets in it is a consequence."""
    return issue.code in _HOLDING or issue.message.endswith((OUTSIDE, NEVER_OPENED))


def _is_smiley(source: str, issue: Issue) -> bool:
    """Whether an issue is about the bracket of a smiley, which changes nothing else."""
    at = issue.position
    sign = source[at : at + 1]
    is_bracket = sign in _STRAY and _SMILEY.search(source, max(0, at - 4), at) is not None
    if issue.message.endswith(SPOILS):
        return False
    return is_bracket and (sign in ")）" or not _WORD.search(source, at))


def _find(parsed: ParsedPrompt, folded: str, kind: Notation, wide: bool) -> Iterator[Found]:
    source = parsed.source
    text = folded if kind.folded else source
    is_none = not any(map(text.__contains__, kind.signs))
    if is_none or (kind.unless is not None and kind.unless.search(text)):
        return
    if kind.hint is not None and not kind.hint.search(text):
        return
    signs = source if parsed.syntax == "novelai" or kind.code == CALL else ascii_signs(source)
    end = _first_open(parsed) if kind.bare else len(text)
    doubtful = _doubtful_brackets(parsed, wide) if "{literal}" in kind.remedy else []
    rounded = "rounded" if parsed.syntax == "diffusers" else "round_escaped"
    for match in islice(kind.pattern.finditer(text, 0, end), MOST_ISSUES):
        if kind.known is not None and kind.known.match(signs, match.start()):
            continue
        if source[match.start()] in _OPENING and source[match.start() - 1 : match.start()] == "\\":
            continue
        group = shown_group(match)
        start, stop = with_brackets(folded, match, group, whole="{weight}" in kind.remedy)
        words = source[start:stop].lstrip()
        start = stop - len(words)
        names = _names(match, folded, parsed.syntax, (start, stop))
        if "{part}" in kind.remedy and names["number"]:
            start = part_start(folded, start)
            words = source[start:stop]
        at = match.start(group)
        template = CHOOSE_A1111 if holds_form(words, kind) else kind.remedy
        if nested := nested_weight(words, kind, parsed.syntax):
            names["weight"], at = nested, start
        if key := next((k for k in ("weight", "weights") if f"{{{k}}}" in kind.remedy), None):
            names[key], n_signs = between(names[key], source, (start, stop), parsed.syntax)
            start, words = start - n_signs, source[start - n_signs : stop]
        names.update(escape_names(words))
        if any(start <= at < stop for at in doubtful):
            names["literal"] = names[rounded]
        names["odd"] = odd_signs(source[slice(*match.span())], signs[slice(*match.span())])
        if "{odd}" in kind.meaning and not names["odd"]:
            continue
        message = f"{as_typed(excerpt(words, SHOWN))} is {kind.meaning.format_map(names)}"
        remedy = readable(template.format_map(names), source, (start, stop), wide)
        issue = Issue(message, start, remedy, kind.code, (words,))
        yield at, stop, issue


def _doubtful_brackets(parsed: ParsedPrompt, wide: bool) -> list[int]:
    """Find the brackets that would be warned of if no backslash were before them.

    Returns:
        the positions in the prompt of each issue's first and last sign.
    """
    plain, removed = without_escapes(parsed.source)
    if not removed:
        return []
    is_wide = wide and reads_fullwidth(parsed.syntax)
    again = parse(plain, parsed.syntax, fullwidth=is_wide)
    there = with_lookalikes(again, fullwidth=wide or None)
    moved = [at - i for i, at in enumerate(removed)]
    starts = [issue.position for issue in there.issues]
    ends = [issue.position + len(issue.words[0]) - 1 for issue in there.issues if issue.words]
    return [at + bisect_right(moved, at) for at in (*starts, *ends)]


def _first_open(parsed: ParsedPrompt) -> int:
    """Find the first bracket that is never closed; else the end."""
    opened = (i.position for i in parsed.issues if is_never_closed(parsed.source, i))
    return min(opened, default=len(parsed.source))


def _names(
    match: re.Match[str], folded: str, syntax: str, place: tuple[int, int]
) -> defaultdict[str, str]:
    """Collect what a remedy may name: the pattern's groups, and the weight that was meant.

    Args:
        place: where the thing begins and ends; a bracket before the match, as in `(red cat1.3)`.
    """
    start = place[0]
    groups = {name.rstrip("_23456"): text for name, text in match.groupdict().items() if text}
    names = defaultdict(str, groups)
    words, number = meant_weight(match, groups, folded, place)
    names["weight"] = weight_in(syntax, excerpt(words.strip(" _"), SHOWN), number)
    if groups.get("words") and "::" in match[0]:  # Midjourney weighs all since the last one
        part = (folded[part_start(folded, start) : start] if groups.get("number") else "") + words
        names["part"] = weight_in(syntax, excerpt(part.strip(" ,"), SHOWN), number)
    names["when"] = plain_share(groups.get("when", ""))
    if "members" in groups:
        names["call"] = mended_call(names["members"], names["name"], names["entries"], syntax)
    names["alternation"] = alternation_of(groups.get("options", ""))
    names["weights"] = weights_in(syntax, groups.get("list", ""))
    names["plain"] = repr(fold(html.unescape(html.unescape(match[0])))) + "."
    return names


def _heavy(parsed: ParsedPrompt) -> list[Issue]:
    """Make an issue of each weight out of all measure: a slip, or a ratio in brackets."""
    issues: list[Issue] = []
    last = 1.0
    for segment in parsed.segments:
        weight, before, last = segment.weight, last, segment.weight
        is_heavy = abs(weight) > MOST_WEIGHT or (weight > 1.0 and _is_ratio(parsed.source, segment))
        if is_heavy and weight != before and len(issues) < MOST_ISSUES:
            shown = excerpt(segment.text.strip(), SHOWN)
            message = f"{shown!r} has the weight {weight:g}, which is hardly meant"
            is_bracket = parsed.syntax != "novelai" and "(" in ascii_signs(parsed.source)
            remedy = _LITERAL if is_bracket else f"{_USEFUL}."
            issues.append(Issue(message, segment.start, remedy, "weight", (segment.text,)))
    return issues


def _is_ratio(source: str, segment: Segment) -> bool:
    """Whether a weight is the second number of `16:9` or `10:30`."""
    colon = source[segment.stop : segment.stop + 1]
    return segment.weight.is_integer() and segment.text[-1:].isdigit() and colon in _COLONS
