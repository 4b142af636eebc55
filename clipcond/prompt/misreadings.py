r"""Find what a syntax reads as it must, and a person hardly meant.

(smile, :3)     a smiley or a ratio at the end of a bracket is a weight
(happy :)       the bracket of a smiley closes another
(cat)(dog)      two words without a space are one, `catdog`
TAKE A BREAK    a word of a caption in capitals starts a new chunk
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import clipcond.lazy_re as re
from clipcond.errors import excerpt
from clipcond.prompt.bracket_misreadings import (
    HAS_NAME,
    HAS_SMILEY,
    JOINING,
    NEAR,
    SHOWN,
    named_tags,
    pairs_of,
    smileys,
)
from clipcond.prompt.editing import Change
from clipcond.prompt.folding import fold
from clipcond.prompt.notations import BRACKETS, CJK, MEASURED_CJK, SMALL
from clipcond.prompt.ordinary import LABELS, SEQUEL
from clipcond.prompt.remainder import Remainder
from clipcond.prompt.scanner import OPENING, ascii_signs
from clipcond.prompt.segments import MOST_ISSUES, Break, Issue, ParsedPrompt

TITLE = 60
TIGHT = frozenset({"lpw", "lpw_xl", "sd_embed"})  # no spaces around a number
# Found wherever something here may be.
MAY_BE_MISREAD = re.compile(
    rf":\s?-?\d{{1,2}}\s?\)|\(:\d|{HAS_SMILEY}|{HAS_NAME}|[)\]][(\[]|BREAK|\["
)
_ESCAPED = re.compile(r"\\[\\()\[\]]|[()\[\]]")
_WEIGHT_BEHIND = re.compile(r"\s?:\s?[+-]?[.\d]{1,6}\s?")

# A number in brackets that is hardly a weight, up to the bracket that makes it one.
_NUMBER = re.compile(
    r"(?:(?<![^\s,(>;|/])[>}]?:-?[03]|(?<=\():(?:[4-9]|\d{2,4})"
    rf"|(?:(?<![\w.\-])|(?<=[{CJK}]))\d{{1,4}}(?:\.\d{{1,2}})?\s?:\s?\d{{1,2}}"
    rf"|(?:(?i:\b(?:{LABELS}))|{'|'.join(MEASURED_CJK.split())})\s?:\s?\d{{1,2}}"
    r"|(?P<sequel>(?<=[^\W\d_]):\s?[023]))\s?\)"
)
_SEQUEL = re.compile(SEQUEL)
# The Witcher: 3
_TITLE = re.compile(
    r"(?!(?i:best|high|low|worst|masterpiece|detailed|ultra|very|extremely|beautiful|quality)\b)"
    r"[A-Z][\w'’.\-]*(?: (?:[A-Z\d&][\w'’.\-]*|of|the|and|a|in|to|for|vs|on))*"
)
_TITLE_CJK = re.compile(rf"[{CJK}]{{3,20}}")
# A weight behind a bracket.
_OUTER = re.compile(
    rf"\s?(?P<shown>[:*]\s?(?P<number>{SMALL}|[0-2])|(?P<number_2>{SMALL}))(?=\s{{0,9}}(?:[,;\n]|\.?\Z)|\s[^\W\d])"
)
# Nothing but brackets is between two words.
_GLUE = re.compile(
    r"(?<=[A-Za-z\d])(?:\s{0,2}:\s?[+-]?[.\d]{1,9}\s?)?[)\]]{1,40}[(\[]{1,40}(?=[A-Za-z\d])"
)
_WORD_BEFORE = re.compile(r"[A-Za-z\d]{1,40}\Z")
_WORD = re.compile(r"[A-Za-z\d]{1,40}")
_QUOTE_BEFORE = re.compile(r"(?<!\d)[\"“„「『][^\"“”„「」『』a-z\n]*\Z")
_QUOTE_BEHIND = re.compile(r"[^\"“”„「」『』a-z\n]*[\"”“」』]")
# Short words of a title, apart from tags in capitals such as HDR and UHD.
_SMALL_WORD = "THE|MY|UP|OUT|IN|IT|IS|OF|OFF|ON|NO|NOT|YOU|OUR|HIS|HER|TO|FOR|US|ALL|CAN|WE|ME"
_SHOUT_BEFORE = re.compile(
    r"(?<![^\W\d_])(?:(?!NSFW|SFW|BREAK|ADD)[A-Z]{4,40}(?:\sA)?"
    rf"|(?:{_SMALL_WORD}|DONT|DON['’]T|BIG|TEA|BAD|DAY)(?:\sA)?)\s\Z"
)
_SHOUT_BEHIND = re.compile(
    r"\s(?!BREAK\b|AND\b|ADD|NSFW|SFW)[A-Z]{4}"
    rf"|\s(?:{_SMALL_WORD})(?![^\W_])|\sAN?\s(?!HDR|UHD|RAW|NSFW|SFW|BREAK|AND)[A-Z]{{3}}"
)


def find_misreadings(
    parsed: ParsedPrompt, known: Sequence[int] = (), *, fullwidth: bool = False
) -> list[Issue]:
    """Make an issue of each thing that is hardly meant as its syntax reads it.

    Args:
        known: positions of weights that have an issue already.
        fullwidth: whether full-width punctuation was read as syntax.
    """
    issues: list[Issue] = []
    signs = ascii_signs(parsed.source, fullwidth=fullwidth)
    if parsed.syntax in BRACKETS:
        issues += _numbers(parsed, signs, known)
    if parsed.syntax in BRACKETS | {"compel"}:
        issues += named_tags(parsed, signs)
        issues += smileys(parsed, signs)
    if parsed.syntax in JOINING:
        issues += _glued(parsed)
        issues += islice(_crossing(parsed.source, signs), MOST_ISSUES)
    if parsed.syntax == "a1111":
        issues += _breaks(parsed)
    return issues


def _numbers(parsed: ParsedPrompt, signs: str, known: Sequence[int]) -> Iterator[Issue]:
    """Make an issue of each smiley, ratio or label that is read as a weight."""
    matches = list(islice(_NUMBER.finditer(signs), MOST_ISSUES))
    pairs = pairs_of(signs, parsed.syntax) if matches else {}
    for match in matches:
        closing = match.end() - 1
        start = pairs.get(closing, -1)
        colon = signs.rfind(":", 0, closing)
        number = signs[colon + 1 : closing]
        is_empty = start + 1 == colon
        if start < 0 or colon < start or any(start < position < closing for position in known):
            continue
        if number != number.strip() and parsed.syntax in TIGHT:
            continue
        if match["sequel"] and not _is_title(parsed.source[start + 1 : colon].strip(), number):
            continue
        inner = parsed.source[start + 1 : closing]
        if is_empty and parsed.syntax == "comfyui":
            continue
        shown, words = parsed.source[start : closing + 1], parsed.source[start + 1 : colon]
        message = (
            f"{excerpt(shown, SHOWN)!r} ends in a weight: it is {excerpt(words.strip(), SHOWN)!r} "
            f"at {float(number):g}"
        )
        text = f"\\{shown[0]}{inner}\\{shown[-1]}"
        remedy = f"For a weight of 1.1 write ({inner.strip()}:1.1); for text write {text}."
        if match["sequel"] and number.strip() == "0":  # of (Re:0:1.1) it is one weight too many
            remedy = f"For text write {text}."
        elif len(inner) > SHOWN:
            remedy = "Write ':1.1' before its last bracket, or its brackets \\( and \\) for text."
        yield Issue(message, start, remedy, "weight", (shown,))


def _is_title(words: str, number: str) -> bool:
    """Whether words and the number behind their colon are a title: `Toy Story: 3`, `Re:0`.

    2 is a weight as well; 0 and 3 hardly are.
    """
    is_spaced, is_likely = number != number.strip(), number.strip() == "2"
    if _SEQUEL.fullmatch(words):
        return True
    if _TITLE_CJK.fullmatch(words):
        return is_spaced or not is_likely
    has_two = " " in words or number.strip() == "0"
    return bool((is_spaced or (has_two and not is_likely)) and _TITLE.fullmatch(words))


def _crossing(source: str, signs: str) -> Iterator[Issue]:
    """Make an issue of each two brackets that cross, as in `(red [cat) dog]`."""
    opened: list[int] = []
    crossed: dict[int, tuple[int, int]] = {}  # by where one opens, the span of the other
    for match in _ESCAPED.finditer(signs) if "(" in signs and "[" in signs else ():
        bracket, position = match[0], match.start()
        if bracket in ("(", "["):
            opened.append(position)
        elif bracket in OPENING:
            near = range(len(opened) - 1, max(-1, len(opened) - 1 - NEAR), -1)
            index = next((n for n in near if signs[opened[n]] == OPENING[bracket]), -1)
            if index < 0:
                continue
            start = opened.pop(index)
            if start in crossed:
                yield _crossed(source, signs, *crossed.pop(start), start, position)
            elif index < len(opened):
                crossed[opened[index]] = start, position


def _crossed(source: str, signs: str, start: int, middle: int, inner: int, stop: int) -> Issue:
    """Make an issue of the brackets source[start] to [middle] and source[inner] to [stop]."""
    shown = source[start : stop + 1]
    both, last = source[start:middle], source[middle + 1 : stop]
    if _WEIGHT_BEHIND.fullmatch(signs, middle + 1, stop):
        number, is_inner = last.strip(), signs[stop] == ")"
        ends = (number, source[stop]) if is_inner else (source[stop], number)
        meant = f"{both}{''.join(ends)}{source[middle]}"
    else:
        again = f"{source[inner]}{last}{source[stop]}" if last.strip() else last
        meant = f"{both}{source[stop]}{source[middle]}{again}"
    remedy = f"Write {meant}." if len(meant) <= TITLE else "Close the inner one first."
    message = f"{excerpt(shown, SHOWN)!r} is two brackets that cross"
    return Issue(message, start, remedy, "bracket", (shown,))


def _glued(parsed: ParsedPrompt) -> Iterator[Issue]:
    """Make an issue of each two words between which only brackets are, if they become one word."""
    segments = iter(parsed.segments)
    segment = next(segments, None)
    for match in islice(_GLUE.finditer(parsed.source), MOST_ISSUES):
        start, stop = match.span()
        while segment is not None and segment.stop < stop + 1:
            segment = next(segments, None)
        if segment is None or segment.start >= start:
            continue
        before = _WORD_BEFORE.search(parsed.source, max(0, start - SHOWN), start)
        behind = _WORD.match(parsed.source, stop)
        if before is None or behind is None or before[0] + behind[0] not in segment.text:
            continue
        message = f"{excerpt(before[0] + behind[0], SHOWN)!r} is one word: no space is between"
        remedy = "Write a space or a comma between the brackets."
        words = parsed.source[before.start() : behind.end()]
        yield Issue(message, before.start(), remedy, "glued", (words,))


def _breaks(parsed: ParsedPrompt) -> Iterator[Issue]:
    """Make an issue of each BREAK in a title or caption in capitals, where it is hardly meant."""
    breaks = [part for part in parsed.parts if isinstance(part, Break)]
    if not breaks:
        return
    source = parsed.source
    letters = [c for segment in parsed.segments for c in segment.text if c.isalpha()]
    is_caption = bool(letters) and all(c.isupper() for c in letters)
    is_caption = is_caption and all(segment.weight == 1.0 for segment in parsed.segments)
    for part in breaks[:MOST_ISSUES]:
        if is_caption or is_shouted(source, part.start, part.stop):
            message = "BREAK starts a new chunk, although words in capitals are around it"
            yield Issue(message, part.start, "Write 'Break' for the word.", "break-in-capitals")


def outer_weights(remainder: Remainder, changes: Sequence[Change]) -> Iterator[Issue]:
    """Make an issue of each weight behind an edit, which is text: `[cat:dog:0.5]:1.2`."""
    text = remainder.text
    folded = ascii_signs(fold(text)) if changes else ""
    for change in changes[:MOST_ISSUES]:
        if found := _OUTER.match(folded, change.stop):
            shown = excerpt(text[change.start : change.stop], SHOWN)
            message = f"{found['shown']!r} behind {shown!r} is text: a weight needs brackets around"
            remedy = f"Write ({shown}:{found['number'] or found['number_2']})."
            at = remainder.at(found.start("shown"))
            yield Issue(message, at, remedy, "weight", (found["shown"],))


def is_shouted(source: str, start: int, stop: int) -> bool:
    """Whether a word in capitals is in a title: in quotes, or next to another such word."""
    before, behind = source[max(0, start - TITLE) : start], source[stop : stop + TITLE]
    quote = _QUOTE_BEFORE.search(before)
    is_odd = source.count('"', 0, start) % 2 == 1
    if quote and _QUOTE_BEHIND.match(behind) and (is_odd or quote[0][0] != '"'):
        return True
    return bool(_SHOUT_BEFORE.search(before) or _SHOUT_BEHIND.match(behind))


def spoiled_issue(remainder: Remainder, change: Change, spoiler: int) -> Issue:
    """Make the issue of edits that a sign between them turns off."""
    shown, sign = remainder.text[change.start : change.stop], remainder.text[spoiler]
    message = f"{sign!r} turns all prompt editing off; {excerpt(shown, SHOWN)!r} is plain text"
    remedy, at = f"Remove it or write '\\{sign}' for a literal sign.", remainder.at(spoiler)
    return Issue(message, at, remedy, "editing-off", (sign,))
