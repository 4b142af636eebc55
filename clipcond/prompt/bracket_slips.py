"""List slips with whole brackets, and find the bracket and the weight that a slip is about."""

from __future__ import annotations

from collections.abc import Mapping

import clipcond.lazy_re as re
from clipcond.prompt.notations import (
    CJK,
    EXCEPT_PLAIN,
    MOST_SIGNS,
    NO_MEASURE,
    OPTION,
    SMALL,
    WHEN,
    Notation,
    plain_number,
)
from clipcond.prompt.scanner import FACTORS, OPENING
from clipcond.prompt.weight_slips import AT_END

_ITEM = r"\s?[^\W\d][^()\[\]{}:,;、\n]{0,60}"
_IN_LIST = r"[+-]?(?:[0-2]?[.,]\d{1,3}|[0-2])"
_OTHER_ITEM = rf"{_ITEM}(?::\s?{_IN_LIST}(?=[\s,;、/)\]}}]))?"
_BREAKING = {"a1111", "sd_embed", "lpw_xl"}  # where BREAK is more than a word
_WEIGHTED_BREAK_TEXT = (
    rf"(?<![A-Za-z\d_(])BREAK\s?(?::\s?(?:{SMALL}|[0-2]){AT_END}|[(\[]{SMALL}[)\]])"
)
_WEIGHTED_BREAK = re.compile(_WEIGHTED_BREAK_TEXT)
_CLOSERS = r"(?:[>}|*~=/–—!?:;\-]|\.(?=\s))"

# Alternation in round brackets, or without any; `(4k | hdr), cat` is a list.
_ONE = r"[^\W\d][^()\[\]{}:|\n]{0,40}"
_TIGHT_ONE = r"[^\W\d](?:[^()\[\]{}:|\n]{0,40}[^\s()\[\]{}:|])?"
_TIGHTS = rf"{_TIGHT_ONE}(?:\|{_TIGHT_ONE}){{1,9}}"
_BEFORE_ROUND = r"(?<![\w\\.^$?*+/])\("
_WEIGHTED = r"\([^()\[\]\n]{1,60}\)"
_SIDE = rf"(?:{_WEIGHTED}|[^\W\d][\w\-]{{0,30}})"
_ROUND = "no alternation, which has square brackets"
NEAR = 100  # characters between two brackets
_SHOWN = 40
_OPENING = "".join(OPENING.values())
_STRIPPED = re.compile(r"\\?\s*:\s*[\d.,]{0,9}\Z|\\\Z")
_LAST_WORD = re.compile(r"(?:\w|-(?=\w)){1,40}\s{0,2}\Z")
_INNER = re.compile(r"([^:]*?)(?<!\d)\s{0,3}:\s{0,3}([0-2]?\.\d{1,3}|[0-2])\s{0,3}")
_BEHIND = re.compile(rf"(?:\+{{2,9}}|-{{2,9}}|\d?\.\d{{1,3}})(?=[\s,.;)\"{CJK}]|\Z)")
_PARTED = {"compel": (",(", "+-"), "novelai": (",;([{", ":")}  # what a weight may touch, or not

BRACKET_SLIPS = (
    Notation(
        "no-editing",
        ":",
        re.compile(
            rf"\[(?P<from>{OPTION}):(?P<to>{OPTION}):\s*"
            r"(?:(?P<when>0?\.\d{1,3}|\d{1,3})\s?(?:[-–—~]|to|至|到)|(?P<when_2>[1-9]\d{0,2})\s?[,;、])"
            r"\s?(?:0?\.)?\d{1,3}\s*\]"
        ),
        EXCEPT_PLAIN,
        "no prompt editing, which takes place at one step",
        "Write [{from}:{to}:{when}] in dialect 'a1111': two steps are impossible.",
    ),
    *(
        Notation("no-editing", "|", re.compile(pattern), EXCEPT_PLAIN - {"novelai"}, _ROUND, remedy)
        for pattern, remedy in (
            (
                rf"{_BEFORE_ROUND}(?P<options>{_ONE}(?:\|\s?{_ONE}){{1,9}}):\s?(?P<number>[0-2]?\.\d{{1,3}}|[0-2])\s?\)",
                "Write ([{alternation}]:{number}) in dialect 'a1111'.",
            ),
            (
                rf"{_BEFORE_ROUND}(?P<options>{_ONE}:\s?[0-2]?\.\d{{1,3}}(?:\|\s?{_ONE}(?::\s?[0-2]?\.\d{{1,3}})?){{1,9}})\)",
                "Write [{alternation}] in dialect 'a1111'.",
            ),
            (
                rf"{_BEFORE_ROUND}(?P<options>{_TIGHTS}|{_ONE}(?:\|\s?{_ONE}){{1,9}}(?=\)\s[^\W\d]))\)(?![?*+$|])",
                "Write [{alternation}] in dialect 'a1111'.",
            ),
        )
    ),
    Notation(
        "no-editing",
        "|",
        re.compile(
            rf"\[[^\[\]\n]{{0,400}}\]|(?<![\w)|])(?P<shown>(?P<options>{_WEIGHTED}(?:\|{_SIDE}){{1,9}}"
            rf"|[^\W\d][\w\-]{{0,30}}\|{_WEIGHTED}(?:\|{_SIDE}){{0,8}}))"
        ),
        EXCEPT_PLAIN - {"novelai"},
        _ROUND,
        "Write [{options}] in dialect 'a1111'.",
        known=re.compile(r"\["),
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?<!\\)(?<![A-Za-z\d_])[(\[{{](?=[^()\[\]{{}}\n]{{0,400}}(?:\.\d|\d,\d))(?P<list>(?:{_ITEM}[,;、]){{0,9}}{_ITEM}(?=:\s?{_IN_LIST}(?:\s?[,;、/\s]|\.\s))"
            rf"{NO_MEASURE}:\s?{_IN_LIST}"
            rf"(?:(?:\s?[,;、/]|\.\s){_OTHER_ITEM}|\s(?=[^\W\d][^()\[\]{{}}:,;、\n]{{0,60}}:\s?{_IN_LIST}[\s,;、)\]}}])"
            rf"{_OTHER_ITEM}){{1,20}}[,;、]?)\s?[)\]}}]"
            rf"|(?<![\\\w])\((?P<list_2>{_ITEM}{NO_MEASURE}:\s?[0-2]?\.\d{{1,3}}:{_ITEM})\)"
        ),
        EXCEPT_PLAIN,
        "no list of weights: each needs brackets of its own",
        "Write {weights}.",
    ),
    Notation(
        "weight",
        "]",
        re.compile(
            rf"(?<!\\)(?P<words>\[{OPTION}(?:(?::{OPTION})?:\s*{WHEN}\s*|(?:\|{OPTION}){{1,9}})\])"
            rf"\s?[:*]\s?(?P<number>{SMALL}|[0-2])(?=\s{{0,9}}(?:[,;]|\.?\Z)|\s[^\s)\]])"
        ),
        EXCEPT_PLAIN,
        "no weight behind a bracket",
        "Write ({words}:{number}) in dialect 'a1111'.",
    ),
    *(
        Notation(
            "break-signs",
            ("<",),
            re.compile(r"<\s?(?:break|Break)\s?/?>"),
            readers,
            "a new chunk in SwarmUI, but not here",
            remedy,
        )
        for readers, remedy in (
            (_BREAKING, "Write BREAK."),
            (EXCEPT_PLAIN - _BREAKING, "Leave it out, or write BREAK in dialect 'a1111'."),
        )
    ),
    Notation(
        "break-signs",
        "K",
        re.compile(
            rf"[<{{|*~=/–—\-]{{1,9}}\s?BREAK(?![A-Za-z\d_])(?:\s?{_CLOSERS}{{1,9}})?"
            rf"|(?<![A-Za-z\d_(])(?!{_WEIGHTED_BREAK_TEXT})BREAK\s?{_CLOSERS}{{1,9}}"
        ),
        {"a1111"},
        "a new chunk whose other signs stay text",
        "Write ' BREAK '.",
    ),
    Notation(
        "other-dialect",
        "K",
        re.compile(r"\{{1,9}\s?BREAK\s?\}{1,9}"),
        EXCEPT_PLAIN - {"a1111", "novelai"},
        "a new chunk in dialect 'a1111', but not here",
        "Leave it out, or choose dialect 'a1111'.",
    ),
    Notation(
        "weight",
        "K",
        _WEIGHTED_BREAK,
        _BREAKING,
        "no weight: BREAK has none",
        "Write BREAK.",
    ),
    Notation(
        "other-dialect",
        "K",
        _WEIGHTED_BREAK,
        EXCEPT_PLAIN - _BREAKING,
        "a new chunk in dialect 'a1111', but not here",
        "Leave it out, or choose dialect 'a1111'.",
    ),
)


def between(weight: str, source: str, place: tuple[int, int], syntax: str) -> tuple[str, int]:
    """Write a weight for a place in a prompt: in quotes, with the spaces that it needs there.

    Returns:
        it, and how many signs before the place it has: with a space behind, `a-` were a weight.
    """
    before = source[max(0, place[0] - _SHOWN) : place[0]]
    behind = source[place[1] : place[1] + 1]
    touched, parted = _PARTED.get(syntax, ("", ""))
    if not parted or "in dialect" in weight:
        return weight, 0
    signs = before[len(before.rstrip("+-")) :] if syntax == "compel" else ""
    is_free = not before[-1:].strip() or before[-1] in touched
    first = "" if is_free else f" {signs} " if signs else " "
    is_number = syntax == "compel" and behind.isdigit()
    last = " " * (is_number or behind in [*parted])
    return (repr(f"{first}{weight}{last}") if first or last else weight), len(signs)


def with_brackets(
    folded: str, match: re.Match[str], group: str | int, *, whole: bool
) -> tuple[int, int]:
    """Find where a thing begins and ends, with the bracket that a `:1.3)` or `)1.3` closes.

    Args:
        group: of the match, what is shown.
        whole: whether a weight takes its place: then brackets around, weights behind, and the word
            before a bracket that closes nothing are a part of it.
    """
    start, stop = match.span(group)
    last, is_closing = folded[stop - 1], folded[start] in OPENING
    opened, closed = (folded.count(sign, start, stop) for sign in (OPENING.get(last, "\0"), last))
    if is_closing or (last in OPENING and opened < closed and stop - start <= _SHOWN):
        opening = opening_of(folded, start if is_closing else stop - 1)
        word = _LAST_WORD.search(folded, max(0, start - _SHOWN), start)
        if opening >= 0:
            start = opening
        elif whole and word and "words" not in match.groupdict():
            start = word.start()
    if not whole:
        return start, stop
    sign = folded[start]
    if match[0].startswith(("((", "[[")):
        while folded[start - 1 : start] == sign == OPENING.get(folded[stop : stop + 1]):
            start, stop = start - 1, stop + 1
    behind = (
        _BEHIND.match(folded, stop) if folded[start] == "(" and folded[stop - 1] == ")" else None
    )
    return start, behind.end() if behind else stop


def meant_weight(
    match: re.Match[str], groups: Mapping[str, str], folded: str, place: tuple[int, int]
) -> tuple[str, str]:
    """Find the words that get a weight, and its number.

    Args:
        groups: of the match: words, number, braces; `signs` and `more` are numbers to add.
        place: from `with_brackets`.
    """
    start, stop = place
    number, words = groups.get("number", ""), groups.get("words", "")
    if not words:
        words = _bracketed(folded, start, match.start())
    elif start < match.start() and not match[0].startswith(("((", "[[")):
        words = folded[start + 1 : match.start()] + words
    if words[:1] in ('"', "'") and words.count(words[0]) == 1:  # ("cat: 1.2")
        words = words[1:]
    if words.count('"') % 2:  # (a "cat: 1.2")
        words = words.replace('"', "")
    if signs := groups.get("signs"):  # (cat)+2 is (cat)++
        number = signs[0] * int(signs[1:])
    if more := groups.get("more"):  # (cat)+0.3
        number = f"{1 + float(more):g}"
    behind = folded[match.end() : stop].lstrip(")]")
    number = behind if behind.strip("+-") else number
    inner = None if groups.get("words") and number.strip("+-") else _INNER.fullmatch(words)
    words, own = (inner[1], float(inner[2])) if inner else (_STRIPPED.sub("", words), 1.0)
    sign, text = match[0][:1], folded[start:stop]
    if not number and sign == "{":
        factor = 1.05 ** min(len(groups.get("braces", "{")), MOST_SIGNS)
    elif not number and match[0].startswith(("((", "[")):  # of A1111
        n_brackets = len(text) - len(text.lstrip(sign)) - (sign == "(" and inner is not None)
        factor = FACTORS[sign] ** min(n_brackets, MOST_SIGNS)
    elif number.strip("+-") and behind and not behind.strip("+-"):
        own, factor = float(plain_number(number)), float(plain_number(behind))
    elif number and not number.strip("+-"):
        factor = float(plain_number(number))
    else:
        return words or "cat", number
    return words or "cat", f"{own * factor:.3g}"


def _bracketed(folded: str, start: int, position: int) -> str:
    """Read the words of the bracket that is closed at a position, or has its colon there."""
    words = folded[start + (folded[start] in _OPENING) : position].strip()
    while OPENING.get(words[-1:]) == words[:1] and opening_of(words, len(words) - 1) == 0:
        words = words[1:-1]
    return words


def opening_of(folded: str, position: int) -> int:
    """Find the nearest bracket before a position that is not closed before it; -1 if none is near.

    At a closing bracket it is that one's own kind.
    """
    wanted = OPENING.get(folded[position], _OPENING)
    depth = 0
    for index in range(position - 1, max(-1, position - NEAR), -1):
        sign = folded[index]
        if sign in wanted and depth == 0:
            return index
        if sign in OPENING and OPENING[sign] in wanted:
            depth += 1
        elif sign in wanted:
            depth -= 1
    return -1
