"""List slips in NovelAI's weights, `1.3::text::`: other signs, one colon in place of two."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import CJK, EXCEPT_PLAIN, SMALL, Notation
from clipcond.prompt.other_dialects import SQUARE_CJK

_NUMBER = r"(?<![\w.])(?P<number>[+-]?(?:\d{1,3}(?:\.\d{0,3})?|\.\d{1,3}))"
_LAST = r"\s?(?:[,、\n]|\Z)"
# Behind a word it is a part of a title: Toy Story 3 :: poster
_ITEM = r"(?:\A|(?<=[,;|\n、])|(?<=BREAK))\s{0,3}"
_SPACED, _SPACED_3, _SPACED_4 = (
    rf"\s{{0,3}}(?:(?<=\s)::|: :)\s?(?P<{words}>[^\W\d][^:\n]{{0,60}}?)\s?(?:::|: :)"
    for words in ("words", "words_3", "words_4")
)
_PLAIN = r"(?:\d{1,3}(?:\.\d{0,3})?|\.\d{1,3})"
NOVELAI_SLIPS = (
    Notation(
        "novelai-weight",
        ("::",),
        re.compile(
            rf"\((?P<number>[+-]?{_PLAIN})::(?P<words>[^:()\n]{{1,60}})\)(?!(?:[^:]|:(?!:)){{0,300}}(?<![\d.])::)"
        ),
        {"novelai"},
        "a weight up to the end: no '::' ends it",
        "Write {weight}.",
    ),
    Notation(
        "novelai-weight",
        "–—―-",
        re.compile(
            rf"(?:(?<![\w.])(?P<number>[–—―]\s{{0,2}}{_PLAIN})|(?:\A|(?<=[,;(\[{{\n]))\s{{0,3}}(?P<number_2>-\s{{1,2}}{_PLAIN}))"
            r"::(?P<words>[^:\n]{1,300})(?:::)?"
        ),
        EXCEPT_PLAIN,
        "no weight: its minus is a dash",
        "Write {weight}.",
        folded=False,
    ),
    Notation(
        "novelai-weight",
        "·•‧∙⋅・'’`",
        re.compile(
            r"(?<![\w.])(?P<number>[+-]?\d{0,2}[·•‧∙⋅・'’`]\d{1,3})::(?P<words>[^:\n]{1,300})(?:::)?"
        ),
        {"novelai"},
        "a weight of its last digits: its decimal point is another sign",
        "Write {weight}.",
        folded=False,
    ),
    Notation(
        "novelai-weight",
        "∷⸬",
        re.compile(
            rf"(?<![\w.])(?P<number>[+-]?{_PLAIN})\s?(?:[∷⸬](?P<words>[^:∷⸬\n]{{1,300}})(?:::|[∷⸬])?|::(?P<words_2>[^:∷⸬\n]{{1,300}})[∷⸬])"
        ),
        EXCEPT_PLAIN,
        "no weight: its colons are one other sign",
        "Write {weight}.",
        folded=False,
    ),
    Notation(
        "novelai-weight",
        ("::",),
        re.compile(
            rf"(?<!\\)[({{\[](?P<words>[^\W\d][^()\[\]{{}}:\n]{{0,60}}):\s?(?P<number>[+-]?{_PLAIN})::\s?[)}}\]]"
        ),
        {"novelai"},
        "a weight of what is behind it, and not of its words",
        "Write {weight}.",
    ),
    Notation(
        "novelai-weight",
        ("::",),
        re.compile(
            r"(?<![\w.:])(?P<first>[1-3])::(?P<second>\d{1,2})(?![\w.:])(?!(?:[^:]|:(?!:)){0,300}::)"
        ),
        {"novelai"},
        "a weight, although it looks like a ratio",
        "For text write {first}:{second}.",
    ),
    Notation(
        "novelai-weight",
        ("::",),
        re.compile(
            r"(?<![\w.])[+-]?[\d.]{1,9}::(?:[^:]|:(?!:)){0,300}(?:::|\Z)"
            rf"|(?<![\w:])(?P<words>[^\W\d](?:[\w\-]{{0,40}}\w)?)\s?::\s?(?P<number>{SMALL}|[0-2])(?=[\s,]|\Z)"
        ),
        {"novelai"},
        "no weight: its number comes first",
        "Write {weight}.",
        known=re.compile(r"[+-]?[\d.]{1,9}::"),
        folded=False,
    ),
    Notation(
        "novelai-weight",
        ":",
        re.compile(r"(?<![\w.])(?P<number>[+-]?\d+,\d+)::(?P<words>[^:\n]{0,60})(?:::)?"),
        {"novelai"},
        "no weight, because of its comma",
        "Write a decimal point: {weight}.",
    ),
    Notation(
        "novelai-weight",
        ":",
        re.compile(
            r"(?<![\w.])(?P<number>[+-]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}))::"
            r"(?P<words>[^:\n]{0,60})(?:::)?"
        ),
        {"novelai"},
        "no weight, because of {odd}",
        "Write {weight}.",
        known=re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)::"),
    ),
    Notation(
        "novelai-weight",
        ":",
        re.compile(r"::"),
        {"novelai"},
        "no end of a weight, because of {odd}",
        "Write it in ASCII.",
        known=re.compile(r"::"),
    ),
    Notation(
        "novelai-weight",
        "{[",
        re.compile(rf"\{{[^{{}}|\n]{{1,60}}\}}|{SQUARE_CJK}"),
        {"novelai"},
        "no weight, because of {odd}",
        "Write its brackets in ASCII.",
        known=re.compile(r"[{\[]"),
    ),
    Notation(
        "novelai-weight",
        ("::",),
        re.compile(
            rf"{_NUMBER}::(?P<words>[^:;\n]{{1,60}}?)\s?(?:;;|:;|;:|:\s:|:(?={_LAST}))(?![:;])"
            # a `::` behind it would be the end
            r"(?!(?:[^:]|:(?!:)){0,300}(?<![\d.])::)"
        ),
        {"novelai"},
        "a weight without an end, which is two colons",
        "Write {weight}.",
    ),
    Notation(
        "novelai-weight",
        ":;",
        re.compile(
            rf"(?<![\w.:\[(])(?P<number>{SMALL})(?!::)[:;]{{1,2}}"
            rf"(?P<words>[^\W\d][^:;()\[\]\n]{{1,60}}|[{CJK}])"
            rf"(?::{{1,2}}|[:;]{{2}})(?={_LAST})"
        ),
        EXCEPT_PLAIN,
        "no weight: those of dialect 'novelai' have two colons on each side",
        "Write {weight}.",
    ),
    Notation(
        "novelai-weight",
        ("::",),
        re.compile(r"(?<![\w.:])(?P<number>[+-]?\d{0,2}\.\d{1,3})::(?=\s{0,3}(?:,|\Z))"),
        EXCEPT_PLAIN - {"novelai"},
        "a weight in dialect 'novelai', but not here",
        "Leave it out; a weight is {weight}.",
    ),
    Notation(
        "novelai-weight",
        ("::", ": :"),
        re.compile(
            rf"{_ITEM}(?P<number>{SMALL}|[+-]?\d){_SPACED}(?!:)"
            rf"|{_ITEM}(?P<number_2>{SMALL})\s{{1,3}}::\s?(?P<words_2>[^\W\d][^:,;\n]{{0,60}}?)\s{{0,3}}(?=[,;\n]|\Z)"
            # behind another weight: 1.3 :: cat :: 0.8 :: dog ::
            rf"|(?:(?<=::)|(?<=: :)|(?<=[)\]]))\s{{0,3}}(?P<number_3>{SMALL}){_SPACED_3}"
            r"(?=\s{0,3}(?:[,;|\n\d.+\-]|\Z))"
            rf"|\(\s?(?P<number_4>{SMALL}){_SPACED_4}\s?\)"
        ),
        EXCEPT_PLAIN,
        "no weight, because of the space in it",
        "Write {weight}.",
    ),
)
