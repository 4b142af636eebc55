"""List square brackets around several words, and Chinese ones, that only A1111 weighs.

Signs, subtitles and pictures of a chat have them too: `[breaking news]`, `[哈哈]`, `【新品】`. So a
group counts if it names what is drawn, in a list of tags or next to A1111's own signs, and not
where round brackets have no weights either: `(white hair), [blue eyes]`.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.loose_weights import DRAWN, DRAWN_CJK
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
# Words of a sentence, within a group.
_NO_SENTENCE = (
    r"(?![^\[\]\n]{0,90}\b(?:no|to|for|from|before|after|here|now|then|me|us|you|is|was|are|were|has"
    r"|have|had|will|please|plate|screen|news|alert)\b)"
)
_WORD = r"[a-z\d'’][a-z\d'’\-]{1,30}"
_SEPARATED = (
    rf"[a-z][a-z'’\-]{{1,30}}(?:[ _]{_WORD}){{0,4}}(?:, ?{_WORD}(?: {_WORD}){{0,4}}){{1,9}}"
)
_WITH_UNDERSCORES = (
    r"[a-z][a-z\d'’\-]{1,30}(?:_[a-z\d'’\-]{1,30}){1,9}(?:,? [a-z\d'’_\-]{1,30}){0,9}"
)
_COUNTED = r"\d(?:girl|boy)s?(?:,? [a-z\d'’\-]{1,30}){0,12}"
# What else is drawn, and how a thing looks.
_SCENERY = (
    "background|foreground|sky|skies|clouds?|sun|sunset|sunrise|moon|stars|rain|snow|fog|mist|smoke"
    "|fire|flames|water|ocean|sea|lake|river|beach|waves|mountains?|hills?|field|meadow|grass|trees?"
    "|leaves|garden|street|road|bridge|building|buildings|ruins|tower|room|bedroom|kitchen|window"
    "|doors?|wall|floor|table|chair|bed|lamp|lights?|lighting|shadows?|skin|lips|hands?|arms|legs"
    "|shirt|skirt|pants|shoes|boots|socks|coat|sweater|ribbon|bow|crown|mask|blur|bokeh|grain"
    "|flowers|roses|cats|dogs|birds|horses|dragons|cars|houses"
)
_LOOKS = (
    "red|orange|yellow|green|blue|purple|violet|pink|brown|black|white|gr[ae]y|golden|silver|blonde?"
    "|dark|bright|pale|colou?rful|tall|big|small|tiny|huge|giant|old|young|wooden|stone|metal|glass"
    "|snowy|rainy|foggy|cloudy|sunny|misty|blurry|messy|fluffy|glowing|shiny|beautiful|cute|pretty"
)
_DRAWN = (
    rf"(?:{_LOOKS})(?:[ \-]{_WORD}){{1,4}}"
    rf"|[a-z](?:[a-z'’]{{0,30}}[ \-]){{1,5}}(?:{DRAWN}|{_SCENERY})"
)
# Only a list of tags has these.
_TAG_LIST = re.compile(
    r"(?:\A|[,\n])\s?(?:\d(?:girl|boy)s?|masterpiece|(?:best|high|worst|low) quality|solo|highres"
    r"|absurdres|[48]k|(?:ultra|highly|very|extremely)[ -]detailed|photorealistic)"
    r"\s{0,3}(?:,|\n|\Z)"
)
_ANY_WORDS = r"[a-z][a-z'’]{1,30}(?:(?:,? |[_\-,])[a-z\d'’]{1,30}){1,12}"
_SURE_TAGS, _TAGS = (
    r"(?:\A\s{0,9}|(?<=[,;\n\]])|(?<=[,;\]]\s))(?P<shown>\[\s?"
    rf"(?!(?:{_NO_TAG})\b){_NO_SENTENCE}(?=[^\[\]\n]{{0,90}}[a-z]{{3}})"
    rf"(?P<words>{words})\s?\])(?=\s{{0,9}}(?:[,;\n]|\.?\s{{0,9}}\Z|\[[^\W\d]))"
    for words in (f"{_SEPARATED}|{_WITH_UNDERSCORES}|{_COUNTED}|{_DRAWN}", _ANY_WORDS)
)
# Pictures of a chat, countries and dynasties of authors, and what is noted.
_NOTES_CJK = (
    "狗头|捂脸|泪目|偷笑|微笑|大笑|抱拳|鼓掌|赞|笑|哭|泪|完|续|译|图片|视频|链接|表情|未完|待续"
    "|玫瑰|鲜花|太阳|月亮|心|爱心|爱你|哈哈|猫咪?表情|[美英法德日俄苏意韩加澳唐宋元明清汉晋]"
)
_INSIDE_CJK = rf"[{CJK}](?:[{CJK}]|[ ,，、](?=[{CJK}])){{0,40}}"
_ALONE_CJK, _LISTED_CJK = (
    r"(?:\A\s{0,9}|(?<=[,、\n])|(?<=[,、]\s))"
    rf"(?P<shown>\[(?!{LABELS_CJK}|(?:{_NOTES_CJK})\])(?P<words>{words})\])"
    r"(?=\s{0,9}(?:[,、\n]|\Z))"
    for words in (rf"[{CJK}]{{0,20}}(?:{DRAWN_CJK}|고양이|강아지)", _INSIDE_CJK)
)
_DRAWN_ELSEWHERE = re.compile(
    rf"(?:\A|[,、\n])\s?(?:[{CJK}]{{0,9}}(?:{DRAWN_CJK}|고양이|강아지)|\d(?:girl|boy)s?)\s?(?:[,、\n]|\Z)"
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
        (_SURE_TAGS, "[", _ROUND_TOO, True, None),
        (_TAGS, "[", _ROUND_TOO, True, _TAG_LIST),
        (_ALONE_CJK, "[", _ROUND_TOO, True, None),
        (_LISTED_CJK, "[", _ROUND_TOO, True, _DRAWN_ELSEWHERE),
        (_NEAR_WEIGHTS_CJK, "[", None, True, A1111S),
    )
)
