"""List what one dialect reads as syntax and another as text: weights, editing, breaks, brackets.

Only what hardly occurs in ordinary text counts: `cat++` and `(cat:1.3)`, but not `C++` or `(16:9)`.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import (
    BRACKETS,
    CJK,
    CJK_BEHIND,
    DECIMAL,
    EXCEPT_PLAIN,
    NUMBER,
    OPTION,
    WHEN,
    WITHOUT_BRACKETS,
    Notation,
)

CODE = "other-dialect"
TIGHT = frozenset({"lpw", "lpw_xl", "sd_embed"})
CHOOSE_A1111 = "Choose dialect 'a1111'."
OR_A1111 = "Write {weight}, or choose dialect 'a1111'."
WEIGHT_HERE = "a weight in dialect 'a1111', but not here"
_EDITING_HERE = "prompt editing in dialect 'a1111', but not here"

# A number that is a weight, not the 9 of 16:9: it has a dot, or no digit comes before the colon.
# Nor is it the 3 of a smiley.
_LIKELY = r"[+-]?(?:\d\.\d*|\.\d+)"
_WEIGHT = rf":(?P<number>{_LIKELY}|(?<!\d:)(?!(?<=[\s,(>]:)-?[03]\))[+-]?[0-3])\)"
_SPACED_WEIGHT = rf":(?P<number>\s+{_LIKELY}\s*|{_LIKELY}\s+|(?<!\d:)\s+[+-]?[0-3]\s*)\)"
# A lone Latin letter may be a language: C++.
_SIGNED_WORD = (
    rf"(?:(?<![\w+\-.])(?!(?i:notepad|lib|stdc))(?=\w*[^\W\d_])(?P<words>\w{{2,}}(?:-\w{{2,}}){{0,3}}|[{CJK}])(?P<number>\+{{2,}}|-{{2,}})"
    r"(?=[\s,.;:!?)\"]|$))"
)
_UNSIGNED = r"(?:\d+\.\d*|\.\d+)"
_SIGNED_BRACKET = (
    rf"(?<!\\)\)(?:(?P<number_4>{_UNSIGNED})(?:\.\d{{1,3}}){{1,9}}(?=[\s,.;)\"]|$)"
    rf"|(?P<number_2>(?:[+-]{{1,9}}|{_UNSIGNED})(?=[\s,.;)\"]|$)"
    rf"|(?:[+-]{{2,9}}|{_UNSIGNED}){CJK_BEHIND}))"
)
_SIGNED_QUOTE = (
    r"(?<![\w\"])\"(?P<words_3>[^\W\d][^\"\n]{0,60})\"(?P<number_3>\+{1,4}|-{2,4}|\d?\.\d{1,3})"
    r"(?=[\s,.;)]|$)"
)
_TWICE = r"(?<!\\)\(\((?=\s*\w)(?P<words>[^()\\]+)\)\)(?!\d?\.\d"
_ROUND_TWICE = re.compile(rf"{_TWICE}|\+\+|--)")
_ROUND_UNWEIGHTED = re.compile(rf"{_TWICE}|[+\-]|\d{{1,3}}\s?(?:[,;.)]|\Z))")
# `【新品】` and `【注】，` are ordinary, `【猫】，狗` is a list.
LABELS_CJK = "(?:注|重要|新品|图|圖|図|表|例|参考|限定|速报|速報|公告|通知|公式|官方|原创|更新)"
SQUARE_CJK = (
    rf"(?:\A\s*|(?<=[,、]))\[(?P<words_3>(?!{LABELS_CJK})[{CJK}]{{1,20}})\](?=\s?[,、])"
    rf"|(?<=[,、])\[(?P<words_4>(?!{LABELS_CJK})[{CJK}]{{1,20}})\](?=\s*\Z)"
)
# `[sic]` and `[intro]` are ordinary; several words are in `square_groups`.
_SQUARES = re.compile(
    r"(?<!\\)\[\[(?=\s*\w)(?P<words>[^\[\]\\:|]+)\]\]"
    r"|(?<![^\s,])\[(?P<words_2>(?!(?:sic|intro|outro|verse|chorus|bridge|hook|remix|link|live|edit|demo"
    r"|official|explicit|redacted|deleted|removed|censored|laughs?|smiles|music|applause|end|name|todo"
    r"|brackets?|placeholder|insert|text|image|photo|video|and|the)\])[a-z]{3,30})\](?=[\s,;.]|\Z)"
)
_SQUARE = re.compile(
    r"(?<![\w\\\]])\[(?!\s?BREAK\b)(?=\s?[^\W\d])(?P<words>[^\[\]\\:|\n]{2,60})\](?![\w(\]])"
)
# What only A1111's prompts have.
A1111S = re.compile(rf"\([^()\n]{{1,120}}:\s?{DECIMAL}\s?\)|\(\((?=\w)|\bBREAK\b|<lora:")
# LUNCH BREAK, BREAK TIME
_NO_TITLE_BEFORE = "".join(
    rf"(?<!\b{word} BREAK)"
    for word in (
        "LUNCH COFFEE TEA SPRING SUMMER WINTER FALL AUTUMN PRISON JAIL COMMERCIAL A THE TIE STATION"
        " BIG LUCKY CAREER TAX MENTAL SMOKE FAST HEART SCHOOL WORK FIRE POINT PLEASE NOT DONT DON'T"
        " DON’T CANT CAN'T NEVER WILL TO NO WE YOU CLEAN PAGE LINE"
    ).split()
)
_TITLE_BEHIND = (
    "TIME|ROOM|DANCE|DANCING|FREE|UP|OUT|DOWN|POINT|EVEN|BAD|THE|IN|INTO|THROUGH|YOUR|MY|IT"
)
_TITLE = re.compile(r"\A[A-ZÀ-ÖØ-ÞА-ЯЁ\d_\W]*\Z")
_AND = re.compile(
    r"\A(?s:.*?)(?<=[\s,;.)\]])(?<!\A\s)(?<![A-Z]{2}\s)(?<![A-Z]{2},\s)(?P<shown>AND)"
    rf"(?=[\s,;(\[{CJK}])"
    r"(?![\s,;]+(?:[A-Z]{2}|gates?\b|operators?\b|symbol\b|circuit\b|logic\b|\Z))"
    rf"|\A(?s:.*?)(?<=[{CJK}])(?P<shown_2>AND)(?=[{CJK}\s,;(\[])"
)
# `BREAKforest` and `猫AND2`, but not `BREAKfast` and `ANDroid`
_JOINED_WORD = re.compile(
    r"(?<![A-Za-z])BREAK(?!fast|ing|down|thr|out|er|point|core|danc|beat|age|up|away|in\b|even|neck|s\b)"
    r"(?=[a-z]{2}|a\s)"
    r"|(?<=[a-z]{2})(?<!out)(?<!jail)(?<!heart)(?<!day)(?<!tie)(?<!wind)(?<!fire)(?<!prison)(?<!ice)"
    rf"(?<!page)(?<!line)BREAK(?=[a-z]{{2}}|a\s|\d|\b|[{CJK}])"
    r"|(?<![A-Za-z\d_])AND(?!a[lmn]|e[rs]|or|r(?:ew|ea|es|o)|y|i)(?=[a-z]{3})"
    rf"|(?<=[a-z]{{2}})AND(?=[a-z]{{3}}|a\s|\s|\d|[{CJK}])"
    r"|(?<![A-Za-z\d_])BREAK_(?=[\s,])|(?<=[\s,])_BREAK(?![A-Za-z\d_])"
    rf"|(?<![A-Za-z\d_])(?:BREAK|AND)(?=\d{{1,3}}[a-z{CJK}])|(?<=\d)(?:BREAK|AND)(?=[{CJK}])"
)
# A call of compel: a conjunction of what is in brackets or quotes, or a change; obj.swap(a, b) is
# code.
_CALL = (
    r"(?<=[)\"])\s{0,3}(?P<shown>\.(?:blend|and|add)\s{0,3}\()"
    r"(?=\s?(?:[\d.,\s+\-]|no_normalize){0,99}(?:\)|\Z))"
    r"|(?<=[)\"])\.attend\(|(?<=\))\.swap\(|(?<=\")\.swap\("
    r"|(?<=\w)\.swap\((?![^()\n]{0,200},(?!\s?[st]_(?:start|end)|\s?shape))"
)
PART_OF_WORD = "a part of a word here"
SPACES = "Write spaces around it."
LOOKALIKES = (
    Notation(CODE, ":", re.compile(_WEIGHT), {"compel", "novelai"}, WEIGHT_HERE, OR_A1111),
    Notation(CODE, ":", re.compile(_WEIGHT), {"diffusers"}, WEIGHT_HERE, CHOOSE_A1111),
    Notation(CODE, "(", _ROUND_UNWEIGHTED, {"compel"}, WEIGHT_HERE, OR_A1111),
    Notation(CODE, "(", _ROUND_TWICE, {"novelai"}, WEIGHT_HERE, OR_A1111),
    Notation(CODE, "(", _ROUND_TWICE, {"diffusers"}, WEIGHT_HERE, CHOOSE_A1111),
    Notation(CODE, "[", _SQUARES, {"compel", "comfyui"}, WEIGHT_HERE, OR_A1111),
    Notation(CODE, "[", _SQUARES, {"diffusers"}, WEIGHT_HERE, CHOOSE_A1111),
    Notation(CODE, "[", _SQUARE, {"compel", "comfyui"}, WEIGHT_HERE, OR_A1111, hint=A1111S),
    Notation(CODE, "[", _SQUARE, {"diffusers"}, WEIGHT_HERE, CHOOSE_A1111, hint=A1111S),
    Notation(
        CODE,
        ":",
        re.compile(_SPACED_WEIGHT),
        TIGHT,
        WEIGHT_HERE,
        "Leave out the spaces, or choose dialect 'a1111'.",
    ),
    Notation(CODE, ":", re.compile(_SPACED_WEIGHT), {"compel", "novelai"}, WEIGHT_HERE, OR_A1111),
    Notation(CODE, ":", re.compile(_SPACED_WEIGHT), {"diffusers"}, WEIGHT_HERE, CHOOSE_A1111),
    Notation(
        CODE,
        '+-)"',
        re.compile(rf"{_SIGNED_WORD}|{_SIGNED_BRACKET}|{_SIGNED_QUOTE}"),
        EXCEPT_PLAIN - {"compel"},
        "a weight in dialect 'compel', but not here",
        "Write {weight}, or choose dialect 'compel'.",
    ),
    Notation(
        CODE,
        "(",
        re.compile(_CALL),
        EXCEPT_PLAIN - {"compel"},
        "a conjunction of prompts, or a change, in dialect 'compel', but not here",
        "Choose dialect 'compel'.",
    ),
    Notation(
        CODE,
        "K",
        re.compile(
            rf"(?:\bBREAK\b|(?<=[{CJK}\s,])(?a:BREAK\b)){_NO_TITLE_BEFORE}(?!\s(?:{_TITLE_BEHIND})\b)"
        ),
        WITHOUT_BRACKETS | {"comfyui", "lpw", "novelai"},
        "a new chunk in dialect 'a1111', but not here",
        "Leave it out, or choose dialect 'a1111'.",
    ),
    Notation(
        CODE,
        "D",
        re.compile(rf"(?<!\d):\s?{NUMBER}\s?(?P<shown>AND)(?![A-Za-z\d_])"),
        EXCEPT_PLAIN - {"a1111"},
        "several conditions in dialect 'a1111', but not here",
        CHOOSE_A1111,
    ),
    Notation(
        CODE,
        ("AND",),
        _AND,
        EXCEPT_PLAIN - {"a1111"},
        "several conditions in dialect 'a1111', but a word here",
        "Write 'and' for the word, or choose dialect 'a1111'.",
        unless=_TITLE,
    ),
    Notation(CODE, ("AND", "BREAK"), _JOINED_WORD, {"a1111"}, PART_OF_WORD, SPACES),
    Notation(
        CODE,
        ("AND", "BREAK"),
        _JOINED_WORD,
        EXCEPT_PLAIN - {"a1111"},
        PART_OF_WORD,
        "Leave it out, or write spaces around it and choose dialect 'a1111'.",
    ),
    Notation(
        CODE,
        "DK",
        re.compile(rf"(?<!\d):\s?{NUMBER}(?P<shown>AND|BREAK)(?![A-Za-z\d_])"),
        {"a1111"},
        PART_OF_WORD,
        SPACES,
    ),
    Notation(
        CODE,
        "ＫＤ",
        re.compile(
            r"(?<![Ａ-Ｚａ-ｚ])(?<![Ａ-Ｚａ-ｚ]\s)(?!\AＢＲＥＡＫ\s*\Z)"
            r"(?:ＢＲＥＡＫ|(?!\A)ＡＮＤ)(?!\s?[Ａ-Ｚａ-ｚ])"
        ),
        BRACKETS,
        "only text, because of its full-width letters",
        "Write it in ASCII, with spaces around it.",
        folded=False,
    ),
    Notation(
        CODE,
        "[",
        re.compile(r"\[(?P<words>[^\[\]():|]+):\s*(?P<number>[0-2]?\.\d+)\s*\]"),
        EXCEPT_PLAIN - {"a1111"},
        _EDITING_HERE,
        "For a weight write {weight}; for editing choose dialect 'a1111'.",
    ),
    Notation(
        CODE,
        "[",
        re.compile(rf"\[(?:[^\[\]:|]*(?::[^\[\]:|]*)?|{OPTION}(?::{OPTION})?):\s*{WHEN}\s*\]"),
        EXCEPT_PLAIN - {"a1111"},
        _EDITING_HERE,
        CHOOSE_A1111,
    ),
    Notation(
        CODE,
        "[",
        re.compile(r"\[(?=\s*\w)[^\[\]:|]+\|[^\[\]:]*\]"),
        EXCEPT_PLAIN - {"a1111"},
        "alternation in dialect 'a1111', but not here",
        CHOOSE_A1111,
    ),
)
