"""List what one dialect reads as syntax and another as text: weights, editing, breaks, brackets.

Only what hardly occurs in ordinary text counts: `cat++` and `(cat:1.3)`, but not `C++` or `(16:9)`.
"""

from __future__ import annotations

import re

from clipcond.prompt.notations import (
    BRACKETS,
    CJK,
    DECIMAL,
    WITH_NOVELAI,
    WITHOUT_BRACKETS,
    Notation,
)

CODE = "other-dialect"
TIGHT = frozenset({"lpw", "lpw_xl", "sd_embed"})
_CHOOSE_A1111 = "Choose dialect 'a1111'."
_OR_A1111 = "Write {weight}, or choose dialect 'a1111'."
_WEIGHT_HERE = "a weight in dialect 'a1111', but not here"
_EDITING_HERE = "prompt editing in dialect 'a1111', but not here"

# A number that is a weight, not the 9 of 16:9: it has a dot, or no digit comes before the colon.
_WEIGHT = rf":(?P<number>{DECIMAL}|(?<!\d:)[+-]?\d+)\)"
_SPACED_WEIGHT = rf":(?P<number>\s+{DECIMAL}\s*|{DECIMAL}\s+|(?<!\d:)\s+[+-]?\d+\s*)\)"
# A lone Latin letter may be a language: C++.
_SIGNED_WORD = (
    rf"(?:(?<![\w+\-.])(?!(?i:notepad|lib|stdc))(?=\w*[^\W\d_])(?P<words>\w{{2,}}|[{CJK}])(?P<number>\+{{2,}}|-{{2,}})"
    r"(?=[\s,.;:!?)\"]|$))"
)
_SIGNED_BRACKET = rf"(?<!\\)\)(?P<number_2>[+-]{{1,9}}|{DECIMAL})(?=[\s,.;)\"]|$)"
_WHEN = r"(?:\d+(?:\.\d*)?|\.\d+)"
# An option of a form, with round brackets in it, and one that has a letter.
_TEXT = r"(?:[^\[\]():|\n]|\([^()\[\]\n]{0,80}\)){0,120}"
_SHORT = r"[^\W\d][^\[\]():∶꞉﹕ː|\n]{1,60}"
_TAGGED = (
    r"(?!(?i:rating|artist|character|copyright|style|species|meta|score|title|name|note|text|time|by"
    r"|series|source|date|age|color|colour|camera|lens|lighting|mood|setting|scene|subject|background"
    r"|seed|size|model|general|user|https?|re|fate|todo|fixme|warning|chapter|part|format|type|genre"
    r"|medium|quality|speaker|laughs?|sep|cls|nsfw|sfw|lora|lyco|hypernet|embedding):)"
)
_NO_EDITING = "no prompt editing: that is two texts, and a number when"
_EDIT = "Write [{from}:{to}:0.5] in dialect 'a1111': a fraction of all steps, or the number of one."
LOOKALIKES = (
    Notation(CODE, ":", re.compile(_WEIGHT), {"compel", "novelai"}, _WEIGHT_HERE, _OR_A1111),
    Notation(CODE, ":", re.compile(_WEIGHT), {"diffusers"}, _WEIGHT_HERE, _CHOOSE_A1111),
    Notation(
        CODE,
        "(",
        re.compile(r"(?<!\\)\(\((?=\s*\w)[^()\\]+\)\)"),
        WITHOUT_BRACKETS,
        _WEIGHT_HERE,
        _CHOOSE_A1111,
    ),
    Notation(
        CODE,
        "[",
        re.compile(r"(?<!\\)\[\[(?=\s*\w)[^\[\]\\:|]+\]\]"),
        WITHOUT_BRACKETS | {"comfyui"},
        _WEIGHT_HERE,
        _CHOOSE_A1111,
    ),
    Notation(
        CODE,
        ":",
        re.compile(_SPACED_WEIGHT),
        TIGHT,
        _WEIGHT_HERE,
        "Leave out the spaces, or choose dialect 'a1111'.",
    ),
    Notation(CODE, ":", re.compile(_SPACED_WEIGHT), {"compel", "novelai"}, _WEIGHT_HERE, _OR_A1111),
    Notation(CODE, ":", re.compile(_SPACED_WEIGHT), {"diffusers"}, _WEIGHT_HERE, _CHOOSE_A1111),
    Notation(
        CODE,
        "+-)",
        re.compile(rf"{_SIGNED_WORD}|{_SIGNED_BRACKET}"),
        WITH_NOVELAI - {"compel"},
        "a weight in dialect 'compel', but not here",
        "Write {weight}, or choose dialect 'compel'.",
    ),
    Notation(
        CODE,
        "(",
        re.compile(r"(?<=[)\"\w])\.(?:blend|and|add|swap|attend)\("),
        WITH_NOVELAI - {"compel"},
        "a conjunction of prompts, or a change, in dialect 'compel', but not here",
        "Choose dialect 'compel'.",
    ),
    Notation(
        CODE,
        "K",
        re.compile(rf"\bBREAK\b|(?<=[{CJK}\s,])(?a:BREAK\b)"),
        WITHOUT_BRACKETS | {"comfyui", "lpw", "novelai"},
        "a new chunk in dialect 'a1111', but not here",
        "Leave it out, or choose dialect 'a1111'.",
    ),
    Notation(
        CODE,
        "ＫＤ",
        re.compile(
            r"(?<=[^Ａ-Ｚａ-ｚ])(?<![Ａ-Ｚａ-ｚ]\s)(?:ＢＲＥＡＫ|ＡＮＤ)(?!\s?[Ａ-Ｚａ-ｚ])"
        ),
        BRACKETS,
        "only text, because of its full-width letters",
        "Write it in ASCII, with spaces around it.",
        folded=False,
    ),
    Notation(
        CODE,
        "[",
        re.compile(r"\[(?P<words>[^\[\]:|]+):\s*(?P<number>[0-2]?\.\d+)\s*\]"),
        WITH_NOVELAI - {"a1111"},
        _EDITING_HERE,
        "For a weight write {weight}; for editing choose dialect 'a1111'.",
    ),
    Notation(
        CODE,
        "[",
        re.compile(rf"\[[^\[\]:|]*(?::[^\[\]:|]*)?:\s*{_WHEN}\s*\]"),
        WITH_NOVELAI - {"a1111"},
        _EDITING_HERE,
        _CHOOSE_A1111,
    ),
    Notation(
        CODE,
        "[",
        re.compile(r"\[(?=\s*\w)[^\[\]:|]+\|[^\[\]:]*\]"),
        WITH_NOVELAI - {"a1111"},
        "alternation in dialect 'a1111', but not here",
        _CHOOSE_A1111,
    ),
    Notation(
        "no-editing",
        "[",
        re.compile(
            rf"\[(?=[^\[\]:|\n]{{0,120}}[^\W\d_])(?P<from>{_TEXT}):(?P<to>{_TEXT})"
            rf"(?::(?!\s*{_WHEN}\s*\]|\s*\d+,\d+\s*\]){_TEXT}|:{_TEXT}:{_TEXT})\]"
        ),
        WITH_NOVELAI,
        _NO_EDITING,
        _EDIT,
    ),
    Notation(
        "no-editing",
        "[",
        re.compile(
            rf"\[{_TAGGED}(?P<from>[{CJK}]|{_SHORT})[:∶꞉﹕ː](?P<to>[{CJK}]|{_SHORT})"
            r"(?<![\s:])\]"
        ),
        WITH_NOVELAI,
        _NO_EDITING,
        _EDIT,
        folded=False,
    ),
    Notation(
        "no-editing",
        "[",
        re.compile(rf"\[(?P<from>{_TEXT}):(?:(?P<to>{_TEXT}):)?\s*(?P<when>{_WHEN})\s*\]"),
        {"a1111"},
        "no prompt editing, because of {odd}",
        "Write it in ASCII, without invisible characters.",
        known=re.compile(rf"\[[^\[\]|]*:\s*{_WHEN}\s*\]"),
    ),
    Notation(
        "no-editing",
        "[",
        re.compile(
            r"\[(?P<from>[^\W\d][^\[\]():|,;/>\n]{0,60})(?:[,;/]|[-=]>|→)\s?(?P<to>[^\W\d][^\[\]():|,;/>\n]{0,60})"
            r"(?:[,;/:|]|[-=]>|→)\s?(?P<when>0?\.\d{1,3})\s?\]"
        ),
        WITH_NOVELAI,
        "no prompt editing, which has colons",
        "Write [{from}:{to}:{when}] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        "({",
        re.compile(
            rf"[({{](?P<from>{_SHORT}|[{CJK}]):(?P<to>{_SHORT}|[{CJK}]):\s?(?P<when>0?\.\d{{1,3}})\s?[)}}]"
        ),
        WITH_NOVELAI,
        "no prompt editing, which has square brackets",
        "Write [{from}:{to}:{when}] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        "|",
        re.compile(rf"\[(?=[^\[\]:]*\|)(?P<words>[^\[\]:]+):\s*{_WHEN}\s*\]"),
        WITH_NOVELAI,
        "neither alternation nor editing: a number is at its end",
        "Write [{words}] in dialect 'a1111' to alternate.",
    ),
)
# Full-width brackets around something short, and a weight with a full-width sign in it.
_FULLWIDTH_BRACKETS = r"（[^（）\n]{1,60}）|【[^【】\n]{1,60}】|［[^［］\n]{1,60}］"
_FULLWIDTH_WEIGHT = "|".join(
    rf"{colon}\s*[+\-＋－]?{number}\s*{closing}"
    for colon, number, closing in (
        ("：", r"[.．。\d]+", "[)）]"),
        (":", r"[.．。\d]+", "）"),
        (":", r"\d*[．。]\d+", r"\)"),
    )
)
# Means more with `fullwidth=True`, or, for compel, in ASCII.
FULLWIDTH = (
    Notation(
        CODE,
        "（）【［：．。",
        re.compile(rf"{_FULLWIDTH_BRACKETS}|{_FULLWIDTH_WEIGHT}"),
        BRACKETS,
        "syntax where full-width punctuation counts, but not here",
        "Write it in ASCII, or say fullwidth=True; False if it is meant as text.",
        folded=False,
    ),
    Notation(
        CODE,
        "（【［",
        re.compile(_FULLWIDTH_BRACKETS),
        {"compel"},
        "a bracket in ASCII, but not here",
        "Write it in ASCII; fullwidth=False if it is meant as text.",
        folded=False,
    ),
    Notation(
        CODE,
        "＋－",
        re.compile(r"\w{1,40}(?:＋{2,9}|－{2,9})(?![\w＋－])"),
        {"compel"},
        "a weight in ASCII, but not here",
        "Write it in ASCII; fullwidth=False if it is meant as text.",
        folded=False,
    ),
)
# BREAK and AND that no space parts from Chinese: words only with `fullwidth=True`.
JOINED = (
    Notation(
        CODE,
        "KD",
        re.compile(
            rf"(?<=[{CJK}])(?:BREAK|AND)(?!\w)|(?<=\S[\s,，])(?:BREAK|AND)(?=[{CJK}])"
            rf"|(?<=[{CJK}])(?:BREAK|AND)(?=[{CJK}])"
        ),
        {"a1111", "sd_embed", "lpw_xl"},
        "a part of a word here",
        "Write spaces around it.",
        folded=False,
    ),
)
