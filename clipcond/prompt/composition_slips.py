"""Find what is hardly meant in a prompt that AND splits: odd weights, and AND in a title."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise

import clipcond.lazy_re as re
from clipcond.errors import excerpt
from clipcond.prompt.bracket_misreadings import SHOWN
from clipcond.prompt.composition import find_parts
from clipcond.prompt.folding import fold
from clipcond.prompt.misreadings import is_shouted
from clipcond.prompt.notations import MEASURED, MOST_WEIGHT, NO_CJK_MEASURE, not_after, plain_number
from clipcond.prompt.ordinary import UNITS
from clipcond.prompt.scanner import ascii_signs
from clipcond.prompt.segments import MOST_ISSUES, Issue

_NOT_MEASURED = f"(?i:{not_after(MEASURED)}){NO_CJK_MEASURE}"
# At the end of a condition.
_NUMBER = r"[+-]?(?:[0-2]|[oO](?=[.,]\d)|[lI](?=[.,]\d))?[.,][\doO]{1,3}|\d{1,3}\s?%|\d\s?/\s?\d"
_SLIP = re.compile(
    rf"{_NOT_MEASURED}(?:\s{{0,3}}(?<!\d)(?::{{1,2}}|={{1,2}}>?|->|→|:=|[;*@×^~])\s{{0,3}}[xX×]?(?P<number>{_NUMBER}|[+-]?\d)"
    rf"|(?<!:)\s[xX×]?(?P<number_2>[+-]?[0-2]?\.\d{{1,2}}|\d{{1,3}}\s?%)"
    rf"|:?\s?\((?P<number_3>{_NUMBER})\))[xX×]?[\s,.;:]{{0,4}}\Z"
)
_INNER = re.compile(
    r"(?<=\w)(?:(?<!\d)|\s)\s{0,3}(?P<shown>:\s?(?:[+-]?[0-2]?\.\d{1,3}|-?[0-2]))(?!,\d{1,3}(?!\w))"
    r"(?=\s{1,3}[^\W\d]|\s?[,;]\s{0,3}\w|\s{0,3}\Z)"
)
# At the start of a condition; 0.5 liter is a measure.
_FIRST = re.compile(
    r"\s{0,9}(?P<shown>(?P<number>[0-2]?\.\d{1,2})"
    rf"(?:(?P<colon>\s?::?\s?|\s?[*×]\s?)|\s))(?!(?:{UNITS}|times|scale|ratio|stops?)(?!\w))(?=[^\W\d])"
)
# Right behind the last of several tags: a cat, dog:-1
_LAST_TAG = re.compile(r"(?P<tag>[^,、\s:][^,、:]{0,60}):(?P<number>-\d{0,2}\.?\d{1,3})\s{0,9}\Z")
_BRACKET = re.compile(r"(?<!\\)[()\[\]]")
_SMILEY = re.compile(r"(?:\A|[\s,>]):-?3\Z")
_CLOCK = re.compile(r"\d(?::| : )\d{1,2}\Z")
_CAPITALS_BEFORE = re.compile(r"(?<![^\W\d_])[A-Z]{2,40}\s{1,3}\Z")
_CAPITALS_BEHIND = re.compile(r"\s{1,3}[A-Z]{2,40}(?![^\W\d_])")
_CAPITALS = re.compile(r"[^\W\d_]{2}")
_PHRASE_END = re.compile(r"[,;:.!?|()\[\]{}\n\"“”、，。]")
_NOT = re.compile(r"\s{1,9}NOT\s{1,9}(?P<words>\w[^\n]*)")
# Up to an AND, and from one on, in a quotation; 12" is a measure.
_OPEN_QUOTE = re.compile(r"(?:(?<![^\s(\[,;:])[\"“„](?=\S)|[「『《«])[^\"“”„「」『』《》«»\n]*\Z")
_CLOSING_QUOTE = re.compile(r"[^\"“”„「」『』《》«»\n]*(?:(?<=\S)[\"”](?!\w)|[」』》»])")
_NOTHING = " \t\n,;.、，。"
_NEAR = 60  # characters


def condition_issues(text: str, *, fullwidth: bool = False) -> Iterator[Issue]:
    """Make an issue of each weight that is hardly meant, or not read, and of brackets that split.

    Args:
        text: a prompt that AND splits.
        fullwidth: whether full-width punctuation is syntax too.
    """
    parts = find_parts(text, fullwidth=fullwidth)
    signs, folded = ascii_signs(text, fullwidth=fullwidth), fold(text)
    for start, stop, weight in parts[:MOST_ISSUES]:
        next_and = text.find("AND", stop)
        end = start + len(text[start : len(text) if next_and < 0 else next_and].rstrip())
        at = _last_words(text, start, end)
        is_read = end > stop and not text[start:stop].endswith(":")
        typed = text[at:end]
        said = _misread(typed, weight) if is_read else _unread(typed)
        if said is not None:
            yield Issue(said[0], at, said[1], "and-weight", (typed,))
        found = islice(_INNER.finditer(folded, start, stop), MOST_ISSUES)
        # of `a cat :0.5 :0.6` the first is text too
        inner = [each for each in found if is_read or text[each.end() : stop].strip()]
        yield from _inner_weights(text, inner, start, stop)
    yield from _first_weights(text, folded, parts)
    yield from _last_tags(text, folded, parts)
    if all(weight == 0 for *_, weight in parts):
        message = "all conditions have the weight 0: nothing of the prompt is drawn"
        at = signs.find(":", parts[0][1])
        yield Issue(message, at, "Give one of them another weight, such as :1.", "and-weight")
    yield from _split_brackets(text, signs, parts)
    yield from _negations(text, parts)


def _inner_weights(
    text: str, inner: Iterable[re.Match[str]], start: int, stop: int
) -> Iterator[Issue]:
    """Make an issue of each weight that is not at the end of its condition, and so is text."""
    for found in inner:
        words = text[start : found.start()].strip() + text[found.end() : stop].rstrip()
        shown, weight = text[slice(*found.span("shown"))], ":" + found["shown"][1:].strip()
        message = f"{shown!r} is text: the weight of a condition is at its end"
        remedy = f"Write the condition {f'{words} {weight}'!r}."
        if len(words) > _NEAR:
            remedy = f"Write {f' {weight}'!r} behind the last word of the condition."
        yield Issue(message, found.start("shown"), remedy, "and-weight", (shown,))


def _first_weights(
    text: str, folded: str, parts: Sequence[tuple[int, int, float]]
) -> Iterator[Issue]:
    """Make an issue of each weight at the start of its condition: `0.5: a cat AND 0.5: a dog`."""
    found = [_FIRST.match(folded, *part[:2]) for part in parts[:MOST_ISSUES]]
    n_found = sum(each is not None for each in found) + sum(part[2] != 1.0 for part in parts)
    for match, (_, stop, weight) in zip(found, parts, strict=False):
        if match is None or weight != 1.0 or (n_found < 2 and not match["colon"]):
            continue
        start, end = match.span("shown")
        words, shown = text[end:stop].rstrip(" ,;.:"), text[start:end].rstrip()
        message = f"{shown!r} is text: the weight of a condition is at its end"
        number = plain_number(match["number"])
        remedy = f"Write the condition {f'{words} :{number}'!r}."
        if len(words) > _NEAR:
            remedy = f"Write {f' :{number}'!r} behind the last word of the condition."
        yield Issue(message, start, remedy, "and-weight", (text[start:stop].rstrip(),))


def _last_tags(text: str, folded: str, parts: Sequence[tuple[int, int, float]]) -> Iterator[Issue]:
    """Make an issue of each weight below 0 of a whole condition, typed as one of its last tag."""
    for n, (start, stop, _) in enumerate(parts[:MOST_ISSUES]):
        end = text.find("AND", stop) if n + 1 < len(parts) else len(text)
        found = _LAST_TAG.search(folded, max(start, end - 2 * _NEAR), end)
        if found is None or found.end("tag") != stop or not text[start : found.start()].strip():
            continue
        number, tag = found["number"], text[slice(*found.span("tag"))]
        whole = excerpt(text[start:stop].strip(), SHOWN)
        message = f"{f':{number}'!r} is the weight of its whole condition, {whole!r}"
        alone, whole = f"({tag}:{number})", f"{tag} :{number}"
        remedy = f"For {tag!r} alone write {alone!r}; for all write {whole!r}."
        words = text[found.start() : found.end("number")]
        yield Issue(message, found.start(), remedy, "and-weight", (words,))


def _split_brackets(
    text: str, signs: str, parts: Sequence[tuple[int, int, float]]
) -> Iterator[Issue]:
    """Make an issue of each AND within brackets: it splits those as well."""
    depth = 0
    for (start, stop, _), (begin, end, _) in islice(pairwise(parts), MOST_ISSUES):
        brackets = [found[0] for found in _BRACKET.finditer(signs, start, begin)]
        depth = max(0, depth + sum(1 if sign in "([" else -1 for sign in brackets))
        if depth == 0 or not any(found[0] in ")]" for found in _BRACKET.finditer(signs, begin)):
            continue
        both = " and ".join(
            repr(excerpt(text[slice(*span)].strip(), SHOWN))
            for span in ((start, stop), (begin, end))
        )
        message = f"AND splits the brackets around it: {both} are conditions of their own"
        remedy = "Write 'and' for the word, or close the brackets before AND."
        yield Issue(message, text.find("AND", stop), remedy, "and-in-brackets")


def _negations(text: str, parts: Sequence[tuple[int, int, float]]) -> Iterator[Issue]:
    """Make an issue of each `AND NOT a dog`, which draws the dog."""
    for start, stop, _ in parts[1:MOST_ISSUES]:
        if found := _NOT.match(text, start, stop):
            words = excerpt(found["words"].strip(_NOTHING), SHOWN)
            message = f"AND NOT draws {words!r} as well: it is no negation"
            remedy = f"Give {words!r} as the negative prompt, or write {f'AND {words} :-1'!r}."
            at = text.rfind("AND", 0, start)
            yield Issue(message, at, remedy, "and-not", (text[at : found.end()].rstrip(),))


def _last_words(text: str, start: int, end: int) -> int:
    """Find where the last words of a condition begin: behind a comma, or near its end."""
    at = max(start, end - _NEAR, text.rfind(", ", start, end) + 1)
    return at + len(text[at:end]) - len(text[at:end].lstrip())


def title_issues(text: str, parts: Sequence[tuple[int, int, float]]) -> Iterator[Issue]:
    """Make an issue of each AND in a title, where it is hardly meant, or with nothing on one side.

    Args:
        text: a prompt that AND splits.
        parts: of it, from `composition.find_parts`.
    """
    negations = {issue.position for issue in _negations(text, parts)}
    places = islice(pairwise(parts), MOST_ISSUES)
    for n, ((start, stop, _), (begin, end, _)) in enumerate(places):
        at = text.find("AND", stop)
        both = text[start:stop].strip(_NOTHING), text[begin:end].strip(_NOTHING)
        if not both[1] or (not both[0] and n == 0):
            side = "before" if both[1] else "behind"
            message = f"nothing is {side} AND: an empty condition is drawn as well"
            remedy = "Write 'and' for the word, or words on both sides of it."
            yield Issue(message, at, remedy, "and-empty")
        elif at not in negations and _is_title(text, at, at + len("AND")):
            shown = " and ".join(repr(excerpt(each, SHOWN)) for each in both)
            message = f"AND makes several conditions, although it is in a title: {shown}"
            yield Issue(message, at, "Write 'And' for the word.", "and-in-title")


def _is_title(text: str, start: int, stop: int) -> bool:
    before, behind = text[max(0, start - _NEAR) : start], text[stop : stop + _NEAR]
    is_between = bool(_CAPITALS_BEFORE.search(before) and _CAPITALS_BEHIND.match(behind))
    is_quoted = _OPEN_QUOTE.search(before) and _CLOSING_QUOTE.match(behind)
    if is_between or is_quoted or is_shouted(text, start, stop):
        return True
    # the phrases next to it: A CAT, AND A DOG
    phrases = _PHRASE_END.split(before.rstrip(_NOTHING))[-1], _PHRASE_END.split(behind)[0]
    is_long = any(_CAPITALS.search(phrase) for phrase in phrases)
    return is_long and all(phrase.isupper() for phrase in phrases)


def _misread(typed: str, weight: float) -> tuple[str, str] | None:
    """Find a clock, ratio or smiley that is read as a weight, or a weight out of all measure."""
    folded = fold(typed)
    is_other = _SMILEY.search(folded) or _CLOCK.search(folded)
    if not is_other and abs(weight) <= MOST_WEIGHT:
        return None
    message = f"{excerpt(typed, SHOWN)!r} ends in the weight {weight:g} of a condition"
    return message, f"If it is text, write {typed + ' :1'!r}."


def _unread(typed: str) -> tuple[str, str] | None:
    """Find a number at the end that was hardly meant as text."""
    found = _SLIP.search(fold(typed))
    words = typed[: found.start()].strip() if found else ""
    if found is None or not words:
        return None
    number = plain_number(found["number"] or found["number_2"] or found["number_3"], "1")
    shown = excerpt(typed, SHOWN)
    message = f"{shown!r} ends in no weight of a condition: that is one colon and a plain number"
    return message, f"Write {f'{words} :{number}'!r}."
