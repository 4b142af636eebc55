"""List weights for compel that act on less than they were meant for, or on nothing.

A sign there follows its word or bracket at once, and a space, a stop or a comma follows it.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.bare_notations import LOAD, WITH_PLUS
from clipcond.prompt.compel_grammar import NAME, NUMBER
from clipcond.prompt.notations import EXCEPT_PLAIN, HEADLINE, SMALL, Notation
from clipcond.prompt.ordinary import SPOKEN, UNITS
from clipcond.prompt.weight_slips import AT_END

_COMPEL = frozenset({"compel"})
_WRITE = "Write {weight}."
_ENDS = r"(?=[\s,.;)\"]|\Z)"
_PARTLY = "a weight in its first part only: the rest is text"
_NO_SPEECH = rf"(?!\s(?i:{SPOKEN})(?![\w'’]))"  # it was long (they said) -- we had a break
_LETTERS = r"[^\W\d_]"
COMPEL_WEIGHTS = (
    Notation(
        "weight",
        "+-.",
        re.compile(
            r"(?:(?<!\\)\((?P<words>[^()\n]{2,60})\)|(?<![\w\"])\"(?P<words_2>[^\W\d][^\"\n]{1,60})\")"
            rf"[ \t]{{1,3}}(?P<number>\+{{1,9}}|-{{2,9}}{_NO_SPEECH}|[01]?\.\d{{1,2}})(?=\s)"
            rf"(?!\s(?:{UNITS}|lens|lenses|zoom)(?!\w))"
            rf"|(?<![\w+\-.])(?!(?i:{WITH_PLUS})\s)(?P<words_3>{_LETTERS}{{3,40}})[ \t]{{1,3}}"
            r"(?P<number_3>\+{2,9})(?=\s)"
        ),
        _COMPEL,
        "no weight, because of the space in it",
        _WRITE,
        unless=HEADLINE,
        folded=False,
    ),
    Notation(
        "weight",
        "+-",
        re.compile(
            r"(?<![\w.+\-/:])(?P<words>\w{1,40}(?:\.\w{1,40}){1,9}\.?|\w{1,40}\.)"
            rf"(?P<number>\+{{2,9}}|-{{2,9}}){_ENDS}"
        ),
        _COMPEL,
        "no weight: a word with a full stop needs brackets",
        _WRITE,
        folded=False,
    ),
    Notation(
        "weight",
        "+-",
        re.compile(
            rf"(?<![\w+\-.])(?!(?:{WITH_PLUS})\+)(?P<words>[a-zß-ÿ]{{3,40}})(?P<number>\+)(?=[!?:;/|~*&%\]}}'’…>])"
        ),
        _COMPEL,
        "no weight: its sign touches another sign",
        _WRITE,
        folded=False,
    ),
    Notation(
        "weight",
        ")",
        re.compile(
            r"(?<!\\)(?<!\w\)|\(\))\)(?P<number>[1-3]\s?/\s?[2-9]|\d(?:\.\d{1,3})?[eE][+-]?\d{1,3}"
            r"|(?:\d?\.\d{1,3}|[12])[xX×倍%fF]|1\d\d\s?%)"
            rf"{_ENDS}"
        ),
        _COMPEL,
        _PARTLY,
        _WRITE,
    ),
    Notation(
        "weight",
        "+-",
        re.compile(
            rf"(?<![\w+\-.])(?P<words>{_LETTERS}{{2,40}})(?:\+{{2,9}}|-{{2,9}})(?P<number>\d?\.\d{{1,3}}){_ENDS}"
        ),
        _COMPEL,
        _PARTLY,
        _WRITE,
    ),
    Notation(
        "weight",
        "–—",
        re.compile(
            rf"(?<!\w)(?!(?:{SPOKEN})[–—])(?P<words>[a-zß-ÿ]{{2,40}})(?P<number>[–—]{{1,4}})"
            r"(?=[,;.)\"]|\s+[,;]|\Z|\s[^\W\d_]{3,40}\Z)"
            r"|(?<![\w\\])\((?P<words_2>[^()\n]{2,60})\)(?P<number_2>[–—]{1,4})(?=[\s,;.]|\Z)"
        ),
        _COMPEL,
        "no weight, because its signs are dashes",
        _WRITE,
        folded=False,
    ),
    Notation(
        "weight",
        "]}",
        re.compile(
            r"(?<!\\)[\[{](?P<words>[^\[\]{}()\n]{0,60}\s[^\[\]{}()\n]{0,60})[\]}]"
            rf"(?P<number>\+{{1,9}}|-{{2,9}}){_ENDS}"
        ),
        _COMPEL,
        "a weight of its last word only",
        _WRITE,
    ),
    Notation(
        "weight",
        "]}⟧",
        re.compile(rf"(?<!\\)[\]}}⟧](?P<number>{SMALL}){AT_END}"),
        _COMPEL,
        "no weight behind such a bracket",
        _WRITE,
    ),
    *(
        Notation(
            "extra-network",
            ("ora(", "oRA(", "ORA(", "ora (", "oRA (", "ORA ("),
            re.compile(r"(?<!\w)(?i:(?:with|use)_?lora)\s?\([^()\n]{1,99}\)"),
            readers,
            "hardly meant as words",
            LOAD,
            known=known,
            folded=False,
        )
        for readers, known in (
            (_COMPEL, re.compile(rf"(?:with|use)Lora\s*\(\s*{NAME}\s*(?:,\s*-?{NUMBER}\s*)?\)")),
            (EXCEPT_PLAIN - _COMPEL, None),
        )
    ),
)
