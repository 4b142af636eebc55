"""Change the weight of a selection in a prompt, as Ctrl+Up and Ctrl+Down do on A1111's page."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

STEP, SMALL_STEP = 0.1, 0.05
_MOST = 10.0
_NO_WEIGHTS = {"plain", "diffusers"}
_NUMBER = r"-?(?:\d+(?:\.\d*)?|\.\d+)"
_WORD = re.compile(r"[^\s.,/!?%^*;:{}=`~()\[\]<>|\\\"]+")
_NETWORK = re.compile(rf"<\w+:[^<>:]+(?::(?P<number>{_NUMBER}))?(?P<rest>[^<>]*)>")
_DEEPEST = 100  # brackets within each other: weights beyond are far above _MOST
_LONGEST = 30  # characters of a weight with its colon and spaces
_COLON_END = re.compile(rf"\s*:\s*({_NUMBER})\s*\Z")
_BEHIND = re.compile(rf"({_NUMBER}|\++|-+)?")
_NOVELAI = re.compile(rf"({_NUMBER})::(.*?)::", re.DOTALL)


class Edited(NamedTuple):
    """A prompt, and what is selected of it: text[start:stop]."""

    text: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Group:
    """A piece text[start:stop] with one weight; its words are text[inner:inner_stop]."""

    start: int
    inner: int
    inner_stop: int
    stop: int
    weight: float


def change_weight(text: str, start: int, stop: int, change: float, dialect: str) -> Edited:
    """Add to the weight of the selection, or of the group or the word at the cursor.

    Args:
        start, stop: the selection; equal = a cursor.
        change: such as 0.1 or -0.05; weights stay between 0 and 10. A weight that becomes 1 goes,
            with its brackets.
        dialect: whose syntax is written: `(x:1.1)`, compel's `(x)1.1`, NovelAI's `1.1::x::`.
    Returns:
        the prompt with its selection; as they were where the dialect knows no weights or nothing is
        at the cursor.
    """
    start, stop = sorted((max(0, min(start, len(text))), max(0, min(stop, len(text)))))
    if dialect in _NO_WEIGHTS:
        return Edited(text, start, stop)
    changed = _change_network(text, start, stop, change)
    if changed is not None:
        return changed
    group = _at(text, start, stop, list(_GROUPS.get(dialect, _colon_groups)(text)))
    if group is None:
        return Edited(text, start, stop)
    weight = min(max(round(group.weight + change, 2), 0.0), _MOST)
    words = text[group.inner : group.inner_stop]
    before, after = _written(weight, dialect)
    at = group.start + len(before)
    edited = text[: group.start] + before + words + after + text[group.stop :]
    return Edited(edited, at, at + len(words))


def _written(weight: float, dialect: str) -> tuple[str, str]:
    """Write what goes before and behind words of a weight."""
    if weight == 1:
        return "", ""
    number = _number(weight)
    if dialect == "compel":
        return "(", f"){number}"
    if dialect == "novelai":
        return f"{number}::", "::"
    return "(", f":{number})"


def _number(weight: float) -> str:
    """Write a weight with one or two decimals, as A1111's page does."""
    return f"{weight:.1f}" if weight == round(weight, 1) else f"{weight:.2f}"


def _at(text: str, start: int, stop: int, groups: list[_Group]) -> _Group | None:
    """Find what a selection means: a group, else the selected words, else the word around."""
    if start != stop:
        while start < stop and text[start].isspace():
            start += 1
        while stop > start and text[stop - 1].isspace():
            stop -= 1
        for group in groups:
            if (start, stop) in {(group.start, group.stop), (group.inner, group.inner_stop)}:
                return group
        return _Group(start, start, stop, stop, 1.0) if start < stop else None
    around = [group for group in groups if group.start < start < group.stop]
    if around:
        return min(around, key=lambda group: group.stop - group.start)
    for word in _WORD.finditer(text):
        if word.start() <= start <= word.end():
            return _Group(word.start(), *word.span(), word.end(), 1.0)
    return None


def _change_network(text: str, start: int, stop: int, change: float) -> Edited | None:
    """Change the weight in the `<lora:name:0.8>` around a selection, if it is in one."""
    for found in _NETWORK.finditer(text):
        if found.start() < start and stop < found.end():
            at = found.start("rest") if found["number"] is None else found.start("number")
            end = found.start("rest")
            weight = 1.0 if found["number"] is None else float(found["number"])
            weight = round(min(max(weight + change, -_MOST), _MOST), 2)
            number = ("" if found["number"] else ":") + _number(weight)
            at_number = at + len(number) - len(_number(weight))
            edited = text[:at] + number + text[end:]
            return Edited(edited, at_number, at_number + len(_number(weight)))
    return None


def _brackets(text: str, pairs: str = "()") -> Iterator[tuple[int, int]]:
    """Yield the places of each pair of brackets, such as "()[]", the inner ones first."""
    opened: list[int] = []
    escaped = False
    for i, character in enumerate(text):
        if escaped or character == "\\":
            escaped = not escaped
        elif character in pairs[::2]:
            opened.append(i)
        elif (
            character in pairs and opened and pairs[pairs.index(character) - 1] == text[opened[-1]]
        ):
            yield opened.pop(), i


def _colon_groups(text: str, pairs: str = "()[]") -> Iterator[_Group]:
    """Yield `(x:1.3)`, and brackets alone: `(x)` and `((x))` are 1.1 and 1.2, `[x]` is 0.9."""
    alone = _Alone(text, 1.1, 0.1)
    for start, end in _brackets(text, pairs):
        number = _COLON_END.search(text, max(start + 1, end - _LONGEST), end)
        if number is None or text[start] == "[":
            alone.add(start, end)
        else:
            yield _Group(start, start + 1, number.start(), end + 1, float(number[1]))
    yield from alone.groups()


class _Alone:
    """Brackets without a number: those directly within others are one group with them.

    Args:
        factor: the weight of a pair; square ones divide by it.
        step: what their weights are rounded to, as A1111's page does.
    """

    def __init__(self, text: str, factor: float, step: float) -> None:
        self._text, self._factor, self._step = text, factor, step
        self._signs = [i for i, character in enumerate(text) if character in ":|"]
        self._found: dict[int, tuple[_Group, int]] = {}

    def add(self, start: int, end: int) -> None:
        """Add a pair of brackets; those within it came before."""
        is_square = self._text[start] == "["
        if is_square and bisect(self._signs, start) != bisect(self._signs, end):
            return  # an edit or an alternation
        group, power = _Group(start, start + 1, end, end + 1, 1.0), 0
        within = self._found.get(start + 1)
        if within is not None and within[0].stop == end:
            del self._found[start + 1]
            group, power = (
                replace(group, inner=within[0].inner, inner_stop=within[0].inner_stop),
                within[1],
            )
        self._found[start] = group, power + (-1 if is_square else 1)

    def groups(self) -> Iterator[_Group]:
        """Yield them with their weights."""
        for group, power in self._found.values():
            weight = self._factor ** max(-_DEEPEST, min(power, _DEEPEST))
            yield replace(group, weight=round(weight / self._step) * self._step)


def _compel_groups(text: str) -> Iterator[_Group]:
    """Yield compel's `(x)1.3`, `(x)++`, `(x)`, which is 1, and `x++`."""
    for start, end in _brackets(text):
        behind = _BEHIND.match(text, end + 1)
        sign = behind[1] if behind is not None else None
        yield _Group(start, start + 1, end, end + 1 + len(sign or ""), _compel_weight(sign))
    for word in re.finditer(r"[^\s.,;:()\"+-]+(\++|-+)(?!\w)", text):
        yield _Group(word.start(), word.start(), word.start(1), word.end(), _compel_weight(word[1]))


def _compel_weight(sign: str | None) -> float:
    if not sign:
        return 1.0
    if set(sign) <= {"+"}:
        return float(1.1 ** len(sign))
    return float(0.9 ** len(sign)) if set(sign) <= {"-"} else float(sign)


def _novelai_groups(text: str) -> Iterator[_Group]:
    """Yield NovelAI's `1.3::x::`, and `{x}` and `[x]`, which are 1.05 and 0.95."""
    for found in _NOVELAI.finditer(text):
        yield _Group(found.start(), *found.span(2), found.end(), float(found[1]))
    alone = _Alone(text, 1.05, 0.05)
    for start, end in _brackets(text, "{}[]"):
        alone.add(start, end)
    yield from alone.groups()


_round_groups = partial(_colon_groups, pairs="()")
_GROUPS: dict[str, Callable[[str], Iterator[_Group]]] = {
    "comfyui": _round_groups,
    "comfyui_words": _round_groups,
    "compel": _compel_groups,
    "novelai": _novelai_groups,
}
