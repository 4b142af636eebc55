"""Find what looks like a template's syntax: `｛红｜蓝｝`, `{2＄＄a|b}`, `＿＿红＿＿`, `__ a __`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import clipcond.lazy_re as re
from clipcond.errors import excerpt
from clipcond.prompt.folding import fold
from clipcond.prompt.ordinary import SPOKEN

_HEAD = (
    r"(?P<open>[{｛])(?P<number>\s{0,9}(?:\d{1,9}\s{0,9}[-－~～–—]?|[-－~～–—]\s{0,9}\d)\s{0,9}\d{0,9}\s{0,9})"
    r"[$＄]{2}(?:(?P<joiner>[^$＄{}｛｝\\]{0,40})[$＄]{2})?"
)
_WEIGHT = (
    r"(?P<before>{before})(?P<weight>\s{{0,9}}(?:\d{{1,9}}[.．]?\d{{0,9}}|[.．]\d{{1,9}}))"
    r"[:：]{{2}}"
)
_OF_OPTION = _WEIGHT.format(before="[{｛|｜]")
# A choice without others in it, or the beginning of one, or of an option.
_CHOICE = r"[{｛](?=[^{}｛｝]*[|｜]|\s{0,9}[\d\-－~～–—]{1,20}\s{0,9}[$＄]{2})[^{}｛｝]*[}｝]"
_WIDE = re.compile(rf"(?<!\\)(?:{_CHOICE}|(?:{_HEAD})|(?:{_OF_OPTION}))")
_OF_LINE = re.compile(_WEIGHT.format(before=r"\A"))
_WIDE_HEAD, _WIDE_WEIGHT = re.compile(_HEAD), re.compile(_OF_OPTION)
_BRACE = re.compile("[{｛]")
_PLAIN = str.maketrans("~～－–—．", "-----.")  # full-width digits are read
_BARS = str.maketrans("｛｜｝", "{|}")
_WIDE_SIGNS = frozenset("｛｜｝＄：－～")

# A list that is read and escaped underscores come first, so that nothing between two is taken.
_READ = r"\\(?:__|.)|__(?![\s_])(?:(?!__)[^\n{}|])+(?<!\s)__"
_OPENING = r"(?:(?<!_)__|(?<!＿)＿＿|(?<![_＿])(?:_＿|＿_))"
_CLOSING = r"(?:__(?!_)|＿＿(?!＿)|(?:_＿|＿_)(?![_＿]))"
_LIST = re.compile(
    rf"{_READ}|(?P<list>{_OPENING}\s{{0,3}}(?!(?i:{SPOKEN})[\s_＿])"
    rf"(?P<name>[^\W\d_＿](?:(?![_＿]{{2}})[\w/*.\-／＊]){{0,99}})[^\S\n]{{0,3}}{_CLOSING})"
)


class TemplateSlip(NamedTuple):
    """Something that is text and hardly meant so: what is said of it, where, and what to write."""

    message: str
    position: int
    remedy: str


def find_slips(
    text: str, has_list: Callable[[str], bool], *, is_line: bool
) -> Iterator[TemplateSlip]:
    """Yield what only looks like the syntax of templates.

    Args:
        has_list: whether there is a list of a name; else `my __ name __` is ordinary text.
        is_line: whether the text is a line of a list, which may begin with a weight.
    """
    yield from _wide_choices(text, is_line=is_line)
    for found in _LIST.finditer(text) if "__" in text or "＿" in text else ():
        if found["list"] is None:
            continue
        name = fold(found["name"])
        meant = f"__{name}__"
        if "＿" in found["list"]:
            yield _wide(found[0], found.start(), meant)
        elif has_list(name):
            message = f"{excerpt(found[0])!r} is text: spaces are inside its underscores"
            yield TemplateSlip(message, found.start(), rf"Write {meant}, or \__ for text.")


def _wide_choices(text: str, *, is_line: bool) -> Iterator[TemplateSlip]:
    if _WIDE_SIGNS.isdisjoint(text):
        return
    weight = _OF_LINE.match(text) if is_line else None
    if weight and (meant := _weight(weight)) != weight[0]:
        yield _wide(weight[0], 0, meant)
    brace = _BRACE.search(text)
    for found in _WIDE.finditer(text, brace.start()) if brace else ():
        if (meant := _in_ascii(found[0])) != found[0]:
            yield _wide(found[0], found.start(), meant)


def _wide(typed: str, position: int, meant: str) -> TemplateSlip:
    message = f"{excerpt(typed)!r} has full-width signs, which are text"
    return TemplateSlip(message, position, f"Write {excerpt(meant)}.")


def _in_ascii(choice: str) -> str:
    """Write the signs of a choice in ASCII; the text of its options stays."""
    return _WIDE_WEIGHT.sub(_weight, _WIDE_HEAD.sub(_head, choice)).translate(_BARS)


def _head(found: re.Match[str]) -> str:
    joiner = "" if found["joiner"] is None else f"{found['joiner']}$$"
    return f"{found['open']}{found['number'].translate(_PLAIN)}$${joiner}"


def _weight(found: re.Match[str]) -> str:
    return f"{found['before']}{found['weight'].translate(_PLAIN)}::"
