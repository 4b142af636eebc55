r"""List weights of words that a number mostly measures, and weights with a dot or sign too many.

`portrait:1.3` and `4k:1.3` are weights. `zoom:1.3` is one among tags, `1girl, zoom:1.3`; alone it
is a setting. In `cat, (1.3)` the number is a tag of its own.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.loose_weights import DRAWN, DRAWN_CJK, NO_TAG
from clipcond.prompt.notations import (
    BRACKETS,
    CJK,
    EXCEPT_PLAIN,
    MEASURED,
    NO_CJK_MEASURE,
    NO_MEASURE,
    SMALL,
    WEIGHT_WORD,
    Notation,
    not_after,
)

_WRITE = "Write {weight}."
_NO_BRACKETS = "no weight without brackets"
_NO_NUMBER = "no weight, because it is no plain number"
_NUMBER = r"[01]?\.\d{1,2}"
_FIRST = r"(?:\A|(?<=[,;、\n]))\s?"
_LAST = r"(?=\s{0,3}(?:[,;、\n]|\.?\Z))"
_END = r"(?=\s[^\W\d]|\s{0,3}(?:[,;、\n]|\.?\Z))"
# Words that are drawn more often than they are measured.
_PICTURED = r"portrait|profile|view|angle|scene|windows|python|torch|\d{1,2}[kKdD]"
_NO_ZOOM = not_after("变焦 變焦 放大 望远镜 镜头 倍率 缩放 播放 快进 倍速")
_TAG = r"(?:[a-z][a-z\-']{1,30}\s){0,3}"
# Elsewhere in the list is a tag that is drawn: a cat, masterpiece, 1girl
_OBJECT = (
    rf"(?:(?:[a-z][a-z\-]{{0,20}}\s){{0,3}}(?<![a-z])(?:{DRAWN})|\d(?:girl|boy)s?|solo|highres"
    rf"|(?:best|high|worst|low) quality|[48]k|[{CJK}]{{0,9}}(?:{DRAWN_CJK}))"
)
_SETTINGS = "|".join(
    word
    for word in MEASURED.split()
    if word
    not in {
        *"v ver version http usb gpt web iso price fps mm no nr ch ev f mach pi sd sdxl".split(),
        # settings and measures that nobody draws
        *"aperture temperature top_p threshold probability accuracy precision recall lr".split(),
        *"iou height höhe hauteur taille altura".split(),
    }
)
_PLAIN = r"[a-z][a-z\-' ]{2,60}"  # two other tags make a list too
_NO_PROMPT = r"[=$€£]|(?i:\b(?:formula|graph|chart|table|aspect|focal)\b)"
# Two or more settings that could be weights are a list of those; `iso:100` is no weight.
_OTHER_SETTING = re.compile(
    rf"[^\W\d_]\s?[:=]\s?\d?\.\d[^\n]{{0,200}}?[^\W\d_]\s?[:=]\s?\d?\.\d|{_NO_PROMPT}"
)
# A weight elsewhere, of brackets or of a word that no number measures, or tags of a drawing.
_WEIGHTS = (
    rf"\([^\W\d][^()\[\]:\n]{{0,60}}:\s?{_NUMBER}\)"
    rf"|[a-z]{NO_MEASURE}:{_NUMBER}{_LAST}"
)
_DRAWING = (
    r"(?:\A|(?<=[,\n])\s?)(?:\d(?:girl|boy)s?|masterpiece|(?:best|high) quality)\s{0,3}(?:,|\n)"
)
# `zoom:1.5` is a setting next to a weight too; `blur:1.2` and `fisheye lens:1.3` are drawn.
_EFFECTS = r"exposure|blur|[a-z\-]{3,20}\s(?:lens|energy|power|force)"
_SETTING, _EFFECT = (
    rf"{_FIRST}(?P<shown>(?P<words>{_TAG}(?:{words})):(?P<number>[01]?\.[1-9])){_LAST}"
    for words in (_SETTINGS, _EFFECTS)
)
# `see figures, (1.1)` is a reference, `soup, (1.50)` a price.
_ALONE, _FIRST_ALONE = (
    rf"(?<!\\)[(\[{{]{{1,2}}(?:{word}[xX×](?=1))?(?P<number>[01]?\.\d[1-8]?)[倍배]?[)\]}}]{{1,2}}"
    for word in (f"{WEIGHT_WORD}|", "")
)
_NO_REFERENCE = not_after(
    f"{MEASURED} equation equations eq eqs figure figures table tables theorem lemma section see"
    " sections item items example examples definition definitions and or from to at about euro usd"
    " proof proofs exercise exercises appendix illustrated diagrams bar chart graph"
)
_NUMBER_ALONE = "no weight: the number alone is in brackets"
_HAS_ALONE = r"[(\[{][^()\[\]{}\n]{0,12}[01]?\.\d{1,2}[倍배]?[)\]}]"
# Elsewhere such a number belongs to a text: Theorem 3, (1.1); apples, (0.5)
_ALONE_IN_LIST = re.compile(
    rf"\A(?=[\s\S]*?{_HAS_ALONE})"
    rf"(?=(?:|[\s\S]*?[,;、\n])\s?{_OBJECT}\s{{0,3}}(?:[,;、\n]|\Z))"
)
_ANY_TAG = rf"(?!{NO_TAG})(?P<words>[^\W_][^()\[\]{{}}:,;、\n]{{0,60}})"
_DOTS = r"\d?\.\.\d{1,3}|\d?\.\d{1,3}\.(?!\d)"
MEASURED_WEIGHTS = (
    Notation(
        "weight",
        ":",
        re.compile(rf"(?<![\w\-:.])(?P<words>{_PICTURED}):(?P<number>{_NUMBER}){_END}"),
        EXCEPT_PLAIN,
        _NO_BRACKETS,
        _WRITE,
        unless=re.compile("(?<![A-Za-z])AND(?![A-Za-z])"),
        bare=True,
        hint=re.compile(rf"[a-zA-Z]:{_NUMBER}"),
    ),
    *(
        Notation(
            "weight",
            ":",
            re.compile(setting),
            EXCEPT_PLAIN,
            _NO_BRACKETS,
            _WRITE,
            unless=unless,
            bare=True,
            hint=re.compile(hint),
        )
        for setting, unless, hint in (
            (
                _SETTING,
                _OTHER_SETTING,
                rf"(?:\A|[,\n])\s?(?:{_OBJECT}\s{{0,3}}(?:,|\n|\Z)|{_PLAIN},\s?{_PLAIN}(?:,|\Z))",
            ),
            (_SETTING, re.compile(rf"{_NO_PROMPT}|{_WEIGHTS}"), _DRAWING),
            (_EFFECT, re.compile(_NO_PROMPT), _WEIGHTS),
        )
    ),
    Notation(
        "weight",
        "xX",
        re.compile(
            rf"(?<![{CJK}])(?P<words>[{CJK}]{{1,20}}){_NO_ZOOM}"
            rf"{NO_CJK_MEASURE}[xX](?P<number>{_NUMBER}){_LAST}"
        ),
        EXCEPT_PLAIN,
        "no weight without a colon",
        _WRITE,
        bare=True,
    ),
    Notation(
        "weight",
        "《〈",
        re.compile(
            rf"[《〈](?P<words>[{CJK}\w ]{{1,20}})[》〉]\s?[:：]"
            rf"(?P<number>{_NUMBER})(?=\s?[,，;；、]|[.。]?\Z)"
        ),
        EXCEPT_PLAIN,
        "no weight behind such a bracket",
        _WRITE,
        bare=True,
        folded=False,
    ),
    *(
        Notation("weight", ".", re.compile(pattern), EXCEPT_PLAIN, _NUMBER_ALONE, remedy, hint=hint)
        for pattern, remedy, hint in (
            (
                rf"{_FIRST}(?P<shown>{_ANY_TAG}(?<=[^\W_])(?i:{_NO_REFERENCE}){NO_CJK_MEASURE}"
                rf"\s?[,;、]\s?{_ALONE}){_LAST}",
                _WRITE,
                _ALONE_IN_LIST,
            ),
            (
                rf"{_FIRST}(?P<shown>{_FIRST_ALONE}\s?[,;、]?\s?(?P<words>{_OBJECT})){_LAST}",
                _WRITE,
                re.compile(_HAS_ALONE),
            ),
            (
                rf"(?<!\\)(?<=[^\W\d_])[)\]}}]\s?[,;、]\s?{_ALONE}{_LAST}",
                "Write the number inside: {weight}.",
                re.compile(_HAS_ALONE),
            ),
        )
    ),
    Notation(
        "weight",
        "|;=",
        re.compile(rf"(?<=[\w)])(?P<shown>\s?[|;=]\s?:\s?(?P<number>{SMALL})\s?\))"),
        EXCEPT_PLAIN,
        "a weight whose text ends in a sign",
        _WRITE,
    ),
    Notation(
        "weight",
        "\\",
        re.compile(rf"\\(?P<shown>:\s?(?P<number>{SMALL}|[0-2])\s?\))"),
        BRACKETS,
        "a weight all the same: no backslash makes text of a colon",
        r"Write {weight}, or write '\(' and '\)' for literal brackets.",
        known=re.compile(r"\\\\"),
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?<!\d)(?=:\s{{0,3}}[\d.]{{3,8}}\s?[)}}]){NO_MEASURE}:\s{{0,3}}"
            rf"(?:(?P<number>{_DOTS})|\.(?P<number_2>\d\.\d{{1,3}}))\s?[)}}]"
        ),
        EXCEPT_PLAIN,
        _NO_NUMBER,
        _WRITE,
    ),
)
