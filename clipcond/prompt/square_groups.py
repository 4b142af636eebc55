"""List square brackets around several words, and Chinese ones, that only A1111 weighs.

`[a cat]`, `[the end]`, `[Male]` and `【新品】` are ordinary, and so is a list that has round
brackets without weights too: `(white hair), [blue eyes]`.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import CJK, Notation
from clipcond.prompt.other_dialects import (
    A1111S,
    CHOOSE_A1111,
    CODE,
    LABELS_CJK,
    OR_A1111,
    WEIGHT_HERE,
)

_ROUND_TOO = re.compile(r"[(（][^()（）:：\d\n]{1,60}[)）](?![+\-\d])")
# What square brackets have in prose, titles and subtitles.
_NO_TAG = (
    "a|an|the|my|your|his|her|its|our|their|this|that|these|those|some|any|and|or|but|by|from|to|not"
    "|no|if|see|note|sic|is|was|are|i|we|you|he|she|it|they|who|which|what|end|link|click|insert"
    "|name|text|image|photo|video|audio|music|sound|song|lyrics?|live|full|official|explicit|remix"
    "|edit|demo|feat|ft|prod|intro|outro|verse|chorus|bridge|hook|laugh\\w*|sigh\\w*|speak\\w*"
    "|sing\\w*|shout\\w*|whisper\\w*|scream\\w*|cr(?:y|ies)\\w*|applause|silence|inaudible|pause\\w*"
    "|redacted|deleted|removed|censored|todo|placeholder|please|page|chapter|part|citation|edited"
)
_WORDS = r"[a-z][a-z'’]{1,30}(?:(?:,? |[_\-,])[a-z\d'’]{1,30}){1,12}"
_TAGS = (
    r"(?:\A\s{0,9}|(?<=[,;\n\]])|(?<=[,;\]]\s))(?P<shown>\[\s?"
    rf"(?!(?:{_NO_TAG})\b)(?![^\[\]\n]{{0,90}}\sno\s)(?=[^\[\]\n]{{0,90}}[a-z]{{3}})"
    rf"(?P<words>{_WORDS}|\d(?:girl|boy)s?(?:,? [a-z\d'’\-]{{1,30}}){{0,12}})\s?\])"
    r"(?=\s{0,9}(?:[,;\n]|\.?\s{0,9}\Z|\[[^\W\d]))"
)
# Pictures of a chat, countries and dynasties of authors, and what is noted.
_NOTES_CJK = (
    "狗头|捂脸|泪目|偷笑|微笑|大笑|抱拳|鼓掌|赞|笑|哭|泪|完|续|译|图片|视频|链接|表情|未完|待续"
    "|[美英法德日俄苏意韩加澳唐宋元明清汉晋]"
)
_INSIDE_CJK = rf"[{CJK}](?:[{CJK}]|[ ,，、](?=[{CJK}])){{0,40}}"
_ANYWHERE_CJK = (
    rf"(?<![\\\[A-Za-z\d])\[(?!(?:{LABELS_CJK}|{_NOTES_CJK})\])"
    rf"(?P<words>{_INSIDE_CJK})\](?![(\[（])"
)
_ALONE_CJK = (
    r"(?:\A\s{0,9}|(?<=[,、\n])|(?<=[,、]\s))"
    rf"(?P<shown>\[(?!{LABELS_CJK}|(?:{_NOTES_CJK})\])(?P<words>{_INSIDE_CJK})\])"
    r"(?=\s{0,9}(?:[,、\n]|\Z))"
)
_NEAR_WEIGHTS_CJK = rf"(?<![\\\[A-Za-z\d])\[(?!{LABELS_CJK})(?P<words>{_INSIDE_CJK})\](?![(\[])"
SQUARE_GROUPS = tuple(
    Notation(
        CODE,
        signs,
        re.compile(pattern),
        readers,
        WEIGHT_HERE,
        remedy,
        unless=unless,
        folded=folded,
        hint=hint,
    )
    for readers, remedy in (({"compel", "comfyui"}, OR_A1111), ({"diffusers"}, CHOOSE_A1111))
    for pattern, signs, unless, folded, hint in (
        (_TAGS, "[", _ROUND_TOO, True, None),
        (_ANYWHERE_CJK, "[", _ROUND_TOO, False, None),
        (_ALONE_CJK, "[", _ROUND_TOO, True, None),
        (_NEAR_WEIGHTS_CJK, "[", None, True, A1111S),
    )
)
