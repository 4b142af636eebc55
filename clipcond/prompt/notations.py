"""Describe a notation that a syntax does not know: how it looks, and what to say of it.

`weight_slips` has slips of the hand in a weight, `other_tools` what user interfaces and image
services act on before any syntax is read, `lookalikes` the syntaxes that are dialects here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

BRACKETS = frozenset({"a1111", "comfyui", "lpw", "lpw_xl", "sd_embed"})
WITHOUT_BRACKETS = frozenset({"compel", "diffusers"})
ALL = BRACKETS | WITHOUT_BRACKETS
WITH_NOVELAI = ALL | {"novelai"}
EVERY = WITH_NOVELAI | {"plain"}

# Chinese, Japanese and Korean letters: no space is between words.
CJK = r"\u3005\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
DECIMAL = r"[+-]?(?:\d+\.\d*|\.\d+)"
SMALL = r"[+-]?[0-2]?\.\d{1,3}"  # a number as weights are
NUMBER = r"[+-]?(?:\d{1,3}(?:\.\d{1,3})?|\.\d{1,3})"

_DIGITS = dict(zip("零〇一二两三四五六七八九点點", "001223456789..", strict=True))
_TO_DIGITS = str.maketrans({**_DIGITS, "o": "0", "O": "0", "l": "1", "I": "1"})
_READ = re.compile(r"(-?)(\d*)(?:\s{0,2}[^\d\s]?\s{0,2}(\d+))?")
_SIGNS = {"+": 1.1, "-": 0.9}  # of compel, for each sign


class Notation(NamedTuple):
    """Something that means more elsewhere than to the syntax that reads it.

    Args:
        code: the kind, for programs.
        signs: characters, or words, of which the prompt holds one wherever the pattern matches; it
            is looked for only then.
        pattern: linear in the prompt's length. If it has a group `shown`, that is what is shown.
            Groups `words` and `number` are what the weight in the remedy is made of; without
            `words` it is what is in the brackets.
        readers: the syntaxes that read it as text.
        meaning: completes the sentence "... is ...", and says what it is here; {odd} names the
            characters that no syntax reads.
        remedy: what to do instead; {weight} is the weight as the syntax has it, {name} a group of
            the pattern.
        unless: where this occurs anywhere in the prompt, nothing is found.
        known: what matches this in the prompt as its syntax reads it is no such notation.
        folded: whether it is looked for in the prompt folded to ASCII, else as it is typed.
        hint: a cheaper pattern that is found wherever the other is.
        bare: whether it is none behind an open bracket, which then is what is wrong.
    """

    code: str
    signs: Collection[str]
    pattern: re.Pattern[str]
    readers: Collection[str]
    meaning: str
    remedy: str
    unless: re.Pattern[str] | None = None
    known: re.Pattern[str] | None = None
    folded: bool = True
    hint: re.Pattern[str] | None = None
    bare: bool = False


def weight_in(syntax: str, words: str, number: str) -> str:
    """Write a weight as a syntax has it, for a remedy.

    Args:
        words: what gets the weight.
        number: as it was typed, with whatever is wrong about it; or the signs of compel.
    """
    number = _plain_number(number)
    if syntax == "compel":
        return f"({words}){number}"
    if syntax == "novelai":
        return f"{number}::{words}::"
    return f"({words}:{number})" + (" in dialect 'a1111'" if syntax == "diffusers" else "")


def _plain_number(typed: str) -> str:
    signs = typed.strip()
    if signs and not signs.strip("+-"):
        return f"{_SIGNS[signs[0]] ** len(signs):.2g}"
    plain = typed.translate(_TO_DIGITS)
    start = re.search(r"-?\.?\d|-?\.", plain)
    found = _READ.match(plain, start.start()) if start else None
    if found is None or not (found[2] or found[3]):
        return "1.2"
    value = float(f"{found[1]}{found[2] or 0}.{found[3] or 0}")
    return f"{value / 100 if '%' in plain else value:g}"
