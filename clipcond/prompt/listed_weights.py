"""List weights as other tools and programs list them: `cat:2 | dog:-1`, `[("cat", 1.2)]`.

A score, a price or a share is written so too. So each row asks for what is drawn, for several
weights in a row, or for words in small letters with a decimal number.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.loose_weights import DRAWN, DRAWN_CJK, NO_SETTING, NO_TAG
from clipcond.prompt.notations import (
    CJK,
    EXCEPT_PLAIN,
    MEASURED,
    NO_CJK_MEASURE,
    NO_MEASURE,
    Notation,
    not_after,
)

_WRITE_ALL = "Write {weights}."
_EACH = "no list of weights: each needs brackets of its own"
_NO_COLOR = not_after(
    "red blue green yellow purple pink orange black white gold silver car train galaxy anime manga"
)
_OBJECT = (
    rf"(?:(?:[a-z][a-z\-]{{0,20}}\s){{0,3}}(?<![a-z])(?:{DRAWN}){_NO_COLOR}"
    rf"|[{CJK}]{{0,9}}(?:{DRAWN_CJK})(?<![红蓝绿黄紫粉黑白金银色]))"
)
_MEASURE = rf"(?i:{NO_SETTING}){NO_CJK_MEASURE}"
# Small letters, that neither count nor say anything.
_TAG = (
    rf"(?!{NO_TAG})(?:[a-z][a-z\-']{{1,30}}|a)(?:\s[a-z\d\-']{{1,30}}){{0,12}}(?<=[a-z]{{2}})"
    rf"|(?!{NO_TAG})[{CJK}]{{1,20}}"
)
_DECIMAL = r"-?[0-2]?\.\d{1,2}"
_NUMBER = rf"(?:{_DECIMAL}|-?[0-3])(?![\d.])"
_PART = rf"(?:{_TAG})(?:{_MEASURE}\s?:\s?{_NUMBER})?"
# `cat | dog:0.5`: two numbers, a decimal one, or what is drawn before it
_SURE = (
    rf"(?=[^\n|]{{0,400}}\|)(?=[^:\n]{{1,400}}:[^:\n]{{1,400}}:|[^\n]{{1,800}}:\s?{_DECIMAL}"
    rf"|[^:\n]{{0,400}}(?:{DRAWN}|{DRAWN_CJK})\s?:)"
)
_FIRST = r"(?:\A|(?<=[,;、\n]))\s?"
_LAST = r"(?=\s{0,3}(?:[,;、\n]|\.?\Z))"
_STRING = r"(?:\"[^\"\n]{1,300}\"|'[^'\n]{1,300}')"
_PAIR = rf"[(\[]\s?{_STRING}\s?,\s?{_NUMBER}\s?[)\]]"
_SETTING = rf"[\"'](?i:{'|'.join(MEASURED.split())})[\"']"
_ENTRY = rf"(?!{_SETTING})[\"'](?:{_OBJECT})[\"']\s?:\s?{_NUMBER}"
_ENTRIES = rf"\{{\s{{0,9}}(?=[^{{}}\n]{{0,400}}[\"'](?:{_OBJECT})[\"']\s?:)"
_RANGE = (
    r"(?:[0-2]?\.\d{1,3}|[0-2])\s?(?:[/|~–—\-至到]|\.{2,3}|to)\s?[0-2]?\.\d{1,3}"
    r"|[0-2]?\.\d{1,3}\s?(?:[/|~–—\-至到]|\.{2,3}|to)\s?[0-2]"
)

LISTED_WEIGHTS = (
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?<!\d)(?=:.{{1,24}}[)}}]){NO_MEASURE}:\s{{0,3}}(?P<number>{_RANGE})\s?[)}}]"
        ),
        EXCEPT_PLAIN,
        "no weight, because it is no plain number",
        "Write {weight}.",
    ),
    Notation(
        "weight",
        "|",
        re.compile(
            rf"\A\s{{0,9}}{_SURE}(?P<shown>(?P<list>{_PART}(?:\s?\|\s?{_PART}){{1,9}}))\s{{0,9}}\Z"
        ),
        EXCEPT_PLAIN,
        _EACH,
        _WRITE_ALL,
        hint=re.compile(r":\s?-?[.\d]"),
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"{_FIRST}(?P<shown>(?P<list>(?:{_OBJECT}:{_NUMBER}\s){{1,9}}{_OBJECT}:{_NUMBER})){_LAST}"
        ),
        EXCEPT_PLAIN,
        _EACH,
        _WRITE_ALL,
        bare=True,
        hint=re.compile(r":-?[.\d]{1,4}\s[^:\n]{1,99}:-?[.\d]"),
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"{_FIRST}(?=(?:[^:,;\n]{{1,60}}:[^:,;\n]{{1,9}}[,;]){{0,9}}\s?{_OBJECT}\s?:)"
            rf"(?P<shown>(?P<list>(?:{_TAG}){_MEASURE}:\s{{1,2}}{_DECIMAL}"
            rf"(?:\s?[,;]\s?(?:{_TAG}){_MEASURE}:\s{{1,2}}{_DECIMAL}){{0,9}})){_LAST}"
        ),
        EXCEPT_PLAIN,
        "no weight without brackets",
        _WRITE_ALL,
        bare=True,
        hint=re.compile(rf":\s{{1,2}}{_DECIMAL}"),
    ),
    Notation(
        "program-list",
        "\"'",
        re.compile(
            rf"(?P<shown>(?P<list>[\[(]?\s{{0,9}}{_PAIR}(?:\s{{0,9}},\s{{0,9}}{_PAIR}){{1,20}},?\s{{0,9}}[\])]?"
            rf"|\[\s{{0,9}}{_PAIR},?\s{{0,9}}\]"
            rf"|{_ENTRIES}{_ENTRY}(?:\s{{0,9}},\s{{0,9}}{_ENTRY}){{1,20}},?\s{{0,9}}\}}))"
        ),
        EXCEPT_PLAIN,
        "a list of weights as a program writes it, but not here",
        _WRITE_ALL,
    ),
    Notation(
        "program-list",
        "[(",
        re.compile(
            rf"\A\s{{0,9}}(?P<shown>\[\s{{0,9}}{_STRING}(?:\s{{0,9}},\s{{0,9}}{_STRING}){{0,99}},?\s{{0,9}}\]"
            rf"|\(\s{{0,9}}{_STRING}(?:\s{{0,9}},\s{{0,9}}{_STRING}){{1,99}},?\s{{0,9}}\))\s{{0,9}}\Z"
        ),
        EXCEPT_PLAIN - {"compel"},
        "a list as a program writes it, but here one text",
        "Leave out its brackets and quotes, or give each text as a prompt of its own.",
    ),
    Notation(
        "program-list",
        "[",
        re.compile(
            rf"\A\s{{0,9}}(?P<shown>\[\s{{0,9}}{_STRING}(?:\s{{0,9}},\s{{0,9}}{_STRING}){{0,99}},?\s{{0,9}}\])\s{{0,9}}\Z"
        ),
        {"compel"},
        "a list as a program writes it, but here one text",
        "Leave out its brackets and quotes, or give each text as a prompt of its own.",
    ),
    Notation(
        "weight",
        "=→⇒➜-:",
        re.compile(
            rf"{_FIRST}(?P<shown>(?P<words>{_TAG}){_MEASURE}\s?(?:=>|->|→|⇒|➜|==|:=)\s?(?P<number>{_DECIMAL})){_LAST}"
        ),
        EXCEPT_PLAIN,
        "no weight without a colon",
        "Write {weight}.",
        hint=re.compile(rf"[=>→⇒➜]\s?{_DECIMAL}"),
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"{_FIRST}(?P<shown>(?P<number>[0-2]?\.\d{{1,2}}):(?P<words>{_OBJECT})){_LAST}"
        ),
        EXCEPT_PLAIN,
        "no weight, because the number comes first",
        "Write {weight}.",
        hint=re.compile(r"\.\d{1,2}:\S"),
    ),
    Notation(
        "weight",
        "%",
        re.compile(
            rf"{_FIRST}(?P<shown>(?P<words>{_OBJECT})(?:\s|(?<=[{CJK}]))(?P<number>1(?:[1-9]\d|0[1-9])\s?%)){_LAST}"
        ),
        EXCEPT_PLAIN,
        "no weight without brackets",
        "Write {weight}.",
        hint=re.compile(r"1\d\d\s?%"),
    ),
)
