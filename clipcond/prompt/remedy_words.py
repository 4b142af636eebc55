"""Write what a remedy names: a weight within others, signs that a dialect reads, a part's start."""

from __future__ import annotations

import re

from clipcond.errors import PromptError
from clipcond.prompt.bracket_slips import NEAR, opening_of
from clipcond.prompt.folding import fold
from clipcond.prompt.notations import BRACKETS, Notation
from clipcond.prompt.other_dialects import CHOOSE_A1111, CODE
from clipcond.prompt.parsing import parse
from clipcond.prompt.rendering import render
from clipcond.prompt.scanner import ascii_signs

_SHOWN = 40  # characters
_OF_COMPEL = re.compile(r"\)(?:[+-]|\d?\.\d)")
_OR_CHOOSE = re.compile(r"(, or|; for editing) choose (dialect '(\w+)')")
_PART_NUMBER = re.compile(r"\A[+-]?[\d.]*(?=[\s,])")
# Of one tag or of several, without other signs.
_PART_WORDS = re.compile(r"(?:\A|(?<=[\s,;]))[^\W\d_](?:[^\W\d_]|[\s,'\-])*[\s,]\Z")
_TWICE_A1111 = ("in dialect 'a1111', or choose dialect 'a1111'", "in dialect 'a1111'")
_FORM = re.compile(r"\[[^\[\]]*[|:][^\[\]]*\]")


def part_start(folded: str, start: int) -> int:
    """Find where a part of Midjourney's begins: behind the last `::` and its number."""
    last = folded.rfind("::", max(0, start - _SHOWN), start)
    before = folded[last + 2 if last >= 0 else max(0, start - _SHOWN) : start]
    if last < 0 and start > _SHOWN:
        before = before.partition(" ")[2]  # from a whole word on
    words = _PART_WORDS.search(_PART_NUMBER.sub("", before))
    return start - len(words[0]) if words else start


def holds_form(words: str, kind: Notation) -> bool:
    """Whether a weight of A1111's holds editing or alternation, which only A1111 reads."""
    is_weight = kind.code == CODE and kind.remedy.startswith("Write {weight}")
    return is_weight and words[:1] == "(" and _FORM.search(words) is not None


def nested_weight(words: str, kind: Notation, syntax: str) -> str:
    """Write a weight with others in it as a syntax has it, all at once; "" if it has none.

    `(a (red:1.2) hat:0.8)` is `0.8::a :: 0.96::red:: 0.8:: hat::` in NovelAI's.
    """
    source = next((name for name in ("a1111", "compel") if repr(name) in kind.meaning), "")
    is_weight = kind.code == CODE and source and kind.remedy.startswith("Write {weight}")
    n_weights = len(_OF_COMPEL.findall(words)) if source == "compel" else fold(words).count("(")
    if not is_weight or "|" in words or syntax == "diffusers" or not 1 < n_weights < _SHOWN:
        return ""
    try:
        inner = parse(words, source, fullwidth=source == "a1111")
        is_one = source == "a1111" and len({part.weight for part in inner.segments}) < 2
        if inner.issues or is_one:
            return ""
        return render(inner, syntax, exact=False)
    except PromptError:
        return ""


def readable(remedy: str, source: str, place: tuple[int, int], wide: bool) -> str:
    """Say what to write in another dialect, if that does not read the signs as they are typed."""
    remedy = remedy.replace(*_TWICE_A1111)
    start, stop = place
    words = source[start:stop]
    plain, around = fold(words), source[max(0, start - 1) : start] + source[stop : stop + 1]
    is_word = words.isalpha() and "dialect 'a1111'" in remedy
    if (other := _OR_CHOOSE.search(remedy)) and len(words) < _SHOWN:
        before = fold(source[max(0, start - NEAR) : start + 1])
        if plain == "BREAK" and opening_of(before, len(before) - 1) >= 0:  # where it is a word
            return f"{remedy[: other.start()]}."
        is_wide = wide and other[3] in BRACKETS
        is_joined = is_word and not is_wide and any(map(str.isalpha, around))
        if is_joined or ascii_signs(words, fullwidth=is_wide) != plain:
            plain = f"' {plain} '" if is_word else plain
            return f"{remedy[: other.start()]}{other[1]} write {plain} in {other[2]}."
    if remedy == CHOOSE_A1111 and plain != words and len(words) < _SHOWN:
        return f"Write {plain} in dialect 'a1111'."
    return remedy


def as_typed(words: str) -> str:
    """Quote words; a backslash stays one, unless other characters need one."""
    return repr(words).replace("\\\\", "\\") if words.isprintable() else repr(words)
