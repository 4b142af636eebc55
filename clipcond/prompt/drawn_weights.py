"""List weights of what is drawn: without brackets, behind them, before the words.

`Python 1.2`, `(mass)^2` and `level:-1` are ordinary, `cat 1.2`, `(cat)^2` and `cat:-1` hardly are.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.loose_weights import DRAWN, DRAWN_CJK
from clipcond.prompt.notations import BRACKETS, CJK, EXCEPT_PLAIN, SMALL, WEIGHT_WORD, Notation

_THING = (
    rf"(?P<words>(?:[a-z][a-z\-]{{0,20}}\s){{0,3}}(?:{DRAWN})|[{CJK}]{{0,9}}(?:{DRAWN_CJK}))"
    r"(?<!\bcar)(?<!train)(?<!galaxy)(?<!anime)(?<!manga)(?<!人物)"
)
_FIRST = r"(?:\A|(?<=[,;、\n]))\s?"
_LAST = r"(?=\s{0,3}(?:[,;、\n]|\.?\Z))"
_SHARE = r"[01]?\.[1-9]"  # 2.0 is a release, 1.25 a price
_WRITE = "Write {weight}."
DRAWN_WEIGHTS = (
    Notation(
        "weight",
        ".",
        re.compile(
            rf"{_FIRST}(?P<shown>{_THING}(?:\s{{1,3}}|(?<=[{CJK}]))(?P<number>{_SHARE}\s?[xX×倍배]?)){_LAST}"
        ),
        EXCEPT_PLAIN,
        "no weight without brackets",
        _WRITE,
        hint=re.compile(rf"(?<=[\s{CJK}]){_SHARE}\s?[xX×倍배]?{_LAST}"),
    ),
    Notation(
        "weight",
        ":",
        re.compile(rf"{_FIRST}(?P<shown>{_THING}\s?:\s?(?P<number>-[12])){_LAST}"),
        EXCEPT_PLAIN,
        "no weight without brackets",
        _WRITE,
        unless=re.compile("(?<![A-Za-z])AND(?![A-Za-z])"),
        hint=re.compile(r":\s?-[12]"),
    ),
    Notation(
        "weight",
        ")",
        re.compile(
            rf"(?<![\\\w])\({_THING}\)\s{{1,3}}:?\s?(?P<number>[01]?\.\d{{1,2}})(?=\s{{1,3}}(?:(?:{DRAWN})\b|[{CJK}]))"
        ),
        EXCEPT_PLAIN,
        "no weight, because of the space in it",
        _WRITE,
        hint=re.compile(r"\)\s{1,3}:?\s?[01]?\.\d"),
    ),
    Notation(
        "weight",
        "(",
        re.compile(rf"(?<![\\\w])\({_THING}[\-.·・。_](?P<number>[01]\.\d{{1,2}})\s?\)"),
        EXCEPT_PLAIN,
        "no weight without a colon",
        _WRITE,
    ),
    Notation(
        "weight",
        ")",
        re.compile(rf"(?<![\\\w])\({_THING}\)[,;/_、](?P<number>[01]?\.\d{{1,2}}){_LAST}"),
        EXCEPT_PLAIN,
        "no weight behind a bracket",
        "Write the number inside: {weight}.",
    ),
    Notation(
        "weight",
        "*^",
        re.compile(
            r"(?<![\\\w)])(?<![=+*/\-]\s)\((?P<words>(?!(?:sin|cos|tan|log|exp|max|min|mass|speed|time)\b)"
            rf"[a-z]{{3,20}}(?:\s[a-z\-]{{1,20}}){{0,4}}(?<!s)|[{CJK}]{{1,20}})\)\s?(?:\^|\*{{1,2}})\s?(?P<number>2){_LAST}"
        ),
        EXCEPT_PLAIN,
        "no weight behind a bracket",
        "Write the number inside: {weight}.",
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?<!\\)[(\[{{]\s?(?::|{WEIGHT_WORD})\s?(?P<number>{SMALL})(?:[\s,]\s?|(?=[{CJK}]))"
            r"(?P<words>[^\W\d][^()\[\]{}:\n]{0,60})[)\]}]"
        ),
        EXCEPT_PLAIN,
        "no weight, because the number comes first",
        _WRITE,
    ),
    Notation(
        "bracket",
        ("/(",),
        re.compile(r"/\((?P<words>[^()\\/\n]{1,60})/\)"),
        BRACKETS | {"compel"},
        "brackets with slashes: only a backslash makes them text",
        r"Write \({words}\).",
    ),
    Notation(
        "bracket",
        ("\\\\(",),
        re.compile(r"(?<!\\)\\\\\((?P<words>[^()\\\n]{1,60})\\\\\)"),
        BRACKETS | {"compel"},
        "brackets with two backslashes: only one makes them text",
        r"Write \({words}\).",
    ),
)
