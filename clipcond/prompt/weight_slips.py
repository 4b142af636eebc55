"""List slips of the hand in a weight: no brackets, a number outside, a comma, a wrong sign.

Each row is a pattern that hardly occurs in ordinary text, where most numbers behind a colon are
ratios, times and measures.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.drawn_weights import DRAWN_WEIGHTS
from clipcond.prompt.listed_weights import LISTED_WEIGHTS
from clipcond.prompt.loose_weights import LOOSE_WEIGHTS, WHOLE_TAG
from clipcond.prompt.measured_weights import MEASURED_WEIGHTS
from clipcond.prompt.notations import (
    BRACKETS,
    CJK,
    CJK_BEHIND,
    EXCEPT_PLAIN,
    FRACTIONS,
    MEASURED,
    NO_CJK_MEASURE,
    NO_MEASURE,
    NUMBER,
    SCIENTIFIC,
    SMALL,
    WEIGHT_WORD,
    Notation,
    not_after,
)
from clipcond.prompt.numerals import NUMERAL_WEIGHTS

_WORDS = (
    rf"(?P<words>(?!(?i:{'|'.join(MEASURED.split())})(?![^\W\d_]))(?<![\w\-])(?:embedding:)?\d?[^\W\d_](?:\w|-(?=\w))"
    rf"{{1,40}}|[{CJK}🌀-🫿]{{1,40}}){NO_CJK_MEASURE}"
)
# A whole tag: best quality:1.3
_TAG = r"(?:\A|(?<=[,;\n]))\s?(?P<shown>(?P<words_2>[^\W\d_][\w\-]{0,40}(?: [\w\-]{1,40}){1,3})"
_NO_WEIGHT_WORD = not_after(
    "weight 权重 权重为 权重是 重みは 權重 重み 重さ 比重 强度 強度 가중치 비중 gewicht poids peso"
)
_END = r"(?=[\"'!*]|\s{1,9}[^\s)\],]|\s{0,9}(?:[,;、]|\.?\Z))"
AT_END = rf"(?=(?!,\d)[\s,;)\]}}]|\.?\Z|\.\s|{CJK_BEHIND})"
_NUMBER_OF_OUTER = r"\s?[+-]?(?:\d{1,3}\.?\d{0,3}|\.\d{1,3})\s?\)"  # (a (b):1.2)
_NO_ZOOM = not_after(
    "teleconverter converter extender telephoto lens macro digital optical binoculars faster slower"
    " bigger larger smaller longer taller 放大 变焦 望远镜 镜头 增长 提高 提升 增加 快 速 长 大 高"
)
_AND = re.compile("(?<![A-Za-z])AND(?![A-Za-z])")
_SIGN = r"[^\w\s()\[\]{}:,/.\\]"
_SLIPS = (
    rf"(?:{_SIGN}{{1,3}}|\\)\s?(?:{SMALL}|[0-2]|\d{{2,3}}%)['\">]?|[xXwW]\s?=?\s?{SMALL}"
    rf"|{WEIGHT_WORD}{SMALL}|\+{{2,4}}|-{{2,4}}|[+-]\s?\d{{1,2}}\s?%",
    rf"[(\[{{]\s?{SMALL}\s?[)\]}}]|[1-3]\s?/\s?[2-5]|[0-2]?\s?[{FRACTIONS}]",
    rf"(?:{NUMBER})\s?[xX×%;]|(?:{SMALL}|[0-2])\s?(?:[fFwW倍배!,]|px|em|pt|weight|times|{_SIGN}{{1,3}})|\d,\d{{1,2}}[fFxX]",
    rf"[0-2]?(?:\s{{1,2}}[.]\s{{0,2}}|[.]\s{{1,2}}|\s|\s?{_SIGN}{{1,2}}\s?)\d{{1,3}}",
    r"[0-2]?[点點]\d{1,2}倍?|[零〇一二两三]点[零〇一二三四五六七八九]{1,2}倍?",
    r"[oO]\.\d{1,2}|[lI]\.\d{1,2}|\d?\.[oO]\d?",
)
_OTHER_SIGN = rf"(?:\s?[;=@]\s?|\s[-–]\s|[|@*^~,、/>→+×](?:\s?{WEIGHT_WORD})?)"
_TWICE = (
    r"(?:[0-2]?\.\d{1,3}\s?:\s?\d?(?:\.\d{1,3})?|(?<![\s,(>]:)[0-2]\s?:\s?[0-2]?\.\d{1,3}"
    r"|(?:[0-2]?\.\d{1,3}|[0-2])(?:\s?[*×xX+;]\s?|,?\s{1,3})[0-2]?\.\d{1,3})"
    r"(?:\s?:\s?[\d.]{1,5}){0,3}"
)
# As Python reads numbers.
_FLOATS = rf"{SCIENTIFIC}|[0-2]?_\d{{1,3}}"
_PLAIN = r"(?!\s*[+-]?[.\d]+\s*[)\]])"
_WRITE = "Write {weight}."
_INVISIBLE = r"[\u00a0\u00ad\u200b-\u200f\u2060-\u2064\ufeff]"
_BY_COMMA = "no weight, because of its comma"
_BY_SIGN = "no weight, because of {odd}"

WEIGHT_SLIPS = (
    *LISTED_WEIGHTS,
    *LOOSE_WEIGHTS,
    *DRAWN_WEIGHTS,
    *MEASURED_WEIGHTS,
    *NUMERAL_WEIGHTS,
    Notation(
        "weight",
        ":",
        re.compile(
            rf"{_TAG}(?<!\s\d){NO_MEASURE}:(?P<number_2>{SMALL}))(?=\s{{0,3}}(?:[,;\n]|\Z))"
            rf"|{_WORDS}(?: : | ?:)(?P<number>{SMALL})[xX×倍배]?(?:\s?:\s?{SMALL}){{0,3}}{_END}"
            rf"|{WHOLE_TAG}"
        ),
        EXCEPT_PLAIN,
        "no weight without brackets",
        _WRITE,
        unless=_AND,
        bare=True,
        hint=re.compile(
            rf": ?(?:{SMALL}[xX×倍배]?(?:\s?:|{_END})|[023]\s{{0,3}}(?:[,;、，\n]|\Z))"
        ),
    ),
    Notation(
        "weight",
        ":",
        re.compile(rf"{_WORDS}:(?P<number>[01],\d{{1,2}}){_END}"),
        EXCEPT_PLAIN,
        _BY_COMMA,
        "Write a decimal point: {weight}.",
        unless=_AND,
        bare=True,
        hint=re.compile(r":[01],\d"),
    ),
    Notation(
        "weight",
        ")]}⟧",
        re.compile(
            rf"(?<!\\)[)\]}}⟧](?!\s?:(?:[^\[\]]{{0,9}}\]|{_NUMBER_OF_OUTER}))(?:\s?(?:::?|[=*^@×~])\s?(?P<number>{SMALL})(?=\s{{0,9}}(?:[,;)\]}}]|\.?\Z))"
            rf"|[:=*^@×~]\s?(?P<number_6>[0-2],\d{{1,2}}){AT_END}"
            rf"|[:=*^@×~](?P<number_2>{SMALL}){AT_END}|:(?P<number_3>[0-2]){AT_END}"
            rf"|\s?x(?P<number_4>{SMALL}){AT_END}|(?:\s|:)?[(\[{{](?P<number_5>{SMALL})[)\]}}])"
        ),
        EXCEPT_PLAIN,
        "no weight behind a bracket",
        "Write the number inside: {weight}.",
        unless=_AND,
    ),
    Notation(
        "weight",
        "]}⟧",
        re.compile(rf"(?<!\\)[\]}}⟧](?P<number>{SMALL}|\+{{1,4}}){AT_END}"),
        EXCEPT_PLAIN - {"compel"},
        "no weight behind such a bracket",
        _WRITE,
    ),
    Notation(
        "weight",
        ".",
        re.compile(
            rf"{_WORDS}{_NO_ZOOM}\s?:?\s?[(\[{{](?:{WEIGHT_WORD}|[xX×](?=1))?(?P<number>[01]?\.\d{{1,2}})[倍배]?[)\]}}]"
        ),
        EXCEPT_PLAIN,
        "no weight: the number alone is in brackets",
        _WRITE,
        hint=re.compile(rf"[(\[{{](?:{WEIGHT_WORD}|[xX×])?[01]?\.\d{{1,2}}[倍배]?[)\]}}]"),
    ),
    Notation(
        "weight",
        "([{<*",
        re.compile(
            rf"(?<![\w.:)\]}}\"/])(?:(?<!\w\s)|(?=[.\d]+[*×(\[{{]))(?P<number_2>[0-2]?\.\d{{1,2}})\s?[*×]?[(\[{{](?P<words_2>[^\W\d][^()\[\]{{}}<>:|\n]"
            r"{1,60})[)\]}]"
            rf"|(?<![\w.:])(?P<number_3>[0-2]?\.\d{{1,2}})[*×](?P<words_3>[^\W\d_]{{2,40}})"
            rf"|(?<!\w)[(\[{{<]\s?(?P<number>{SMALL})\s?[:=*×]\s?"
            r"(?P<words>[^\W\d][^()\[\]{}<>:|\n]{0,60})[)\]}>]"
        ),
        EXCEPT_PLAIN,
        "no weight, because the number comes first",
        _WRITE,
    ),
    Notation(
        "weight",
        "{<⟦",
        re.compile(
            rf"[{{<⟦](?!(?i:lora|lyco|hypernet)\W)(?P<words>[^{{}}<>⟦⟧:|\"\n]{{1,60}}){NO_MEASURE}:\s?(?P<number>{SMALL})\s?[}}>⟧]"
        ),
        EXCEPT_PLAIN,
        "no weight in such brackets",
        _WRITE,
    ),
    Notation(
        "weight",
        "*^@=×xX~",
        re.compile(rf"{_WORDS}(?:\s?(?:\*{{1,2}}|[\^@×])\s?|=|~|\s[xX])(?P<number>{SMALL}){_END}"),
        EXCEPT_PLAIN,
        "no weight without a colon",
        _WRITE,
        hint=re.compile(rf"[*^@×=~xX]\s?{SMALL}"),
    ),
    Notation(
        "weight",
        ".",
        re.compile(
            rf"(?<![:：]){_WORDS}{_NO_WEIGHT_WORD}(?:(?P<number>[01]\.\d{{1,2}})"
            rf"|{_OTHER_SIGN}(?P<number_2>[01]?\.\d{{1,2}}))\s?\)"
        ),
        EXCEPT_PLAIN,
        "no weight without a colon",
        _WRITE,
        hint=re.compile(rf"(?:(?<=[^\W\d])[01]|{_OTHER_SIGN}[01]?)\.\d{{1,2}}\s?\)"),
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?<!\d)(?=:\s{{0,3}}[+-]?\d){NO_MEASURE}:\s{{0,3}}(?P<number>[+-]?\d{{1,3}},\s?\d{{1,3}})"
            r"(?:\s{0,3}|[,;])[)}]|\[(?P<words>[^\[\]:|\n]{1,120}):\s?(?P<number_2>[0-2]?,\d{1,3})\s?\]"
        ),
        EXCEPT_PLAIN,
        _BY_COMMA,
        "Write a decimal point: {weight}, or as the dialect has it.",
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?<!\d)(?=:\s{{0,3}}(?:{_TWICE})\s?[)}}]){NO_MEASURE}:\s{{0,3}}(?P<number>{_TWICE})\s?[)}}]"
        ),
        EXCEPT_PLAIN,
        "one weight too many",
        _WRITE,
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?<!\d)(?=:.{{1,24}}[)}}]){NO_MEASURE}:\s{{0,3}}{_PLAIN}(?P<number>{'|'.join(_SLIPS)})\s?[)}}]"
        ),
        EXCEPT_PLAIN,
        "no weight, because it is no plain number",
        _WRITE,
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?<!\d)(?=:.{{1,24}}[)}}]){NO_MEASURE}:\s{{0,3}}(?P<number>{_FLOATS})\s?[)}}]"
        ),
        EXCEPT_PLAIN - {"comfyui"},  # which reads them
        "no weight, because it is no plain number",
        _WRITE,
    ),
    Notation(
        "weight",
        ":",
        re.compile(rf"(?<![:\d\s,]):\s?:(?P<number>{SMALL}|[0-2])\s?\)"),
        EXCEPT_PLAIN,
        "a weight with two colons, of which one is text",
        _WRITE,
    ),
    Notation(
        "weight",
        ":",
        re.compile(r"(?<!\d):\s{0,9}(?P<number>[+-]?[.\d]{1,9})\s{0,9}\)"),
        BRACKETS,
        _BY_SIGN,
        _WRITE,
        known=re.compile(r":\s*[+-]?[.\d]+\s*\)"),
    ),
    Notation(
        "weight",
        ")+-",
        re.compile(
            r"(?:\)(?P<number>[+-]{1,9}|[+-]?\d?\.\d{1,3})|(?P<words>\w{1,40})(?P<number_2>\+{2,9}|-{2,9}))"
            r"(?=[\s,.;)\"]|$)"
        ),
        {"compel"},
        _BY_SIGN,
        _WRITE,
        known=re.compile(r"\)[+-]*\d*[.\d+-]|\w{1,40}[+-]"),
    ),
    Notation(
        "weight",
        "\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff",
        re.compile(
            rf"(?P<words>\w{{1,40}})?[)）]?{_INVISIBLE}{{1,9}}"
            r"(?P<number>[+-]{2,9}|(?<=[)）].)\d?\.\d{1,3})(?=[\s,.;)]|\Z)"
        ),
        EXCEPT_PLAIN - {"compel"},
        "no weight, because of an invisible character",
        _WRITE,
        folded=False,
    ),
    Notation(
        "weight",
        ")",
        re.compile(
            rf"(?<!\\)\){_INVISIBLE}{{1,9}}(?P<number>[+-]{{1,9}}|\d?\.\d{{1,3}})(?=[\s,.;)]|\Z)"
        ),
        {"compel"},  # there a word with one has the weight
        "no weight, because of an invisible character",
        _WRITE,
        folded=False,
    ),
    Notation(
        "weight",
        ")",
        re.compile(
            r"(?<!\\)(?<=[^\W\d])\)(?P<number>1(?:[1-9]\d|0[1-9])\s?%|[01],\d{1,2})(?=\s?[,;]|\.?\Z)"
        ),
        EXCEPT_PLAIN - {"compel"},
        "no weight behind a bracket",
        "Write the number inside: {weight}.",
    ),
    Notation(
        "weight",
        ")",
        re.compile(r"(?<!\\)\)(?P<number>\d,\d{1,2})(?=[\s,;.)]|\Z)"),
        {"compel"},
        _BY_COMMA,
        "Write a decimal point: {weight}.",
    ),
)
