"""List slips with whole brackets: lists of weights, two that cross, alternation in round ones."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import (
    EXCEPT_PLAIN,
    NO_MEASURE,
    OPTION,
    SMALL,
    WHEN,
    Notation,
)
from clipcond.prompt.weight_slips import AT_END

_ITEM = r"\s?[^\W\d][^()\[\]{}:,;、\n]{0,60}"
_IN_LIST = r"[+-]?(?:[0-2]?[.,]\d{1,3}|[0-2])"
_OTHER_ITEM = rf"{_ITEM}(?::\s?{_IN_LIST}(?=[\s,;、)\]}}]))?"
_BREAKING = {"a1111", "sd_embed", "lpw_xl"}  # where BREAK is more than a word
_WEIGHTED_BREAK = re.compile(
    rf"(?<![A-Za-z\d_(])BREAK\s?(?::\s?(?:{SMALL}|[0-2]){AT_END}|[(\[]{SMALL}[)\]])"
)

# Alternation in round brackets, or without any; `(4k | hdr), cat` is a list.
_ONE = r"[^\W\d][^()\[\]{}:|\n]{0,40}"
_TIGHT_ONE = r"[^\W\d](?:[^()\[\]{}:|\n]{0,40}[^\s()\[\]{}:|])?"
_TIGHTS = rf"{_TIGHT_ONE}(?:\|{_TIGHT_ONE}){{1,9}}"
_BEFORE_ROUND = r"(?<![\w\\.^$?*+/])\("
_WEIGHTED = r"\([^()\[\]\n]{1,60}\)"
_SIDE = rf"(?:{_WEIGHTED}|[^\W\d][\w\-]{{0,30}})"
_ROUND = "no alternation, which has square brackets"
BRACKET_SLIPS = (
    *(
        Notation("no-editing", "|", re.compile(pattern), EXCEPT_PLAIN - {"novelai"}, _ROUND, remedy)
        for pattern, remedy in (
            (
                rf"{_BEFORE_ROUND}(?P<options>{_ONE}(?:\|\s?{_ONE}){{1,9}}):\s?(?P<number>[0-2]?\.\d{{1,3}}|[0-2])\s?\)",
                "Write ([{alternation}]:{number}) in dialect 'a1111'.",
            ),
            (
                rf"{_BEFORE_ROUND}(?P<options>{_TIGHTS}|{_ONE}(?:\|\s?{_ONE}){{1,9}}(?=\)\s[^\W\d]))\)(?![?*+$|])",
                "Write [{alternation}] in dialect 'a1111'.",
            ),
        )
    ),
    Notation(
        "no-editing",
        "|",
        re.compile(
            rf"\[[^\[\]\n]{{0,400}}\]|(?<![\w)|])(?P<shown>(?P<options>{_WEIGHTED}(?:\|{_SIDE}){{1,9}}"
            rf"|[^\W\d][\w\-]{{0,30}}\|{_WEIGHTED}(?:\|{_SIDE}){{0,8}}))"
        ),
        EXCEPT_PLAIN - {"novelai"},
        _ROUND,
        "Write [{options}] in dialect 'a1111'.",
        known=re.compile(r"\["),
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?<!\\)(?<!\w)[(\[{{](?=[^()\[\]{{}}\n]{{0,400}}(?:\.\d|\d,\d))(?P<list>(?:{_ITEM}[,;、]){{0,9}}{_ITEM}(?=:\s?{_IN_LIST}\s?[,;、\s])"
            rf"{NO_MEASURE}:\s?{_IN_LIST}"
            rf"(?:\s?[,;、]{_OTHER_ITEM}|\s(?=[^\W\d][^()\[\]{{}}:,;、\n]{{0,60}}:\s?{_IN_LIST}[\s,;、)\]}}])"
            rf"{_OTHER_ITEM}){{1,20}}[,;、]?)\s?[)\]}}]"
        ),
        EXCEPT_PLAIN,
        "no list of weights: each needs brackets of its own",
        "Write {weights}.",
    ),
    Notation(
        "weight",
        "]",
        re.compile(
            rf"(?<!\\)(?P<words>\[{OPTION}(?:(?::{OPTION})?:\s*{WHEN}\s*|(?:\|{OPTION}){{1,9}})\])"
            rf"\s?[:*]\s?(?P<number>{SMALL}|[0-2])(?=\s{{0,9}}(?:[,;]|\.?\Z)|\s[^\s)\]])"
        ),
        EXCEPT_PLAIN,
        "no weight behind a bracket",
        "Write ({words}:{number}) in dialect 'a1111'.",
    ),
    Notation(
        "weight",
        "K",
        _WEIGHTED_BREAK,
        _BREAKING,
        "no weight: BREAK has none",
        "Write BREAK.",
    ),
    Notation(
        "other-dialect",
        "K",
        _WEIGHTED_BREAK,
        EXCEPT_PLAIN - _BREAKING,
        "a new chunk in dialect 'a1111', but not here",
        "Leave it out, or choose dialect 'a1111'.",
    ),
)
