"""List the labels of prompts in chats, lists, programs and tags, and in Chinese and Japanese.

`Prompt: a cat` and `Negative prompt: dog` are in `pasted` and `bare_notations`.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import ALL, Notation

_NEGATIVE = (
    r"(?:neg(?:ative|ativ|ativo|ativa|atif)?|n[eé]gatif)(?:[ _\-]?prompts?)?|unwanted|avoid|exclude"
    r"|(?:things|what) to avoid"
)
NEGATIVE_CJK = (
    "(?:反向|负面|負面|负向|負向|反面|逆向|否定|消极|消極|负|負|反)(?:的)?(?:提示|关键|關鍵|描述)(?:词|詞|语|語)?"
    "|(?:反向|负面|負面|负向|負向|逆向|负|負|反|逆)(?:面)?咒(?:语|語|文)?"
    "|(?:否定|负面|負面|负向|負向|反向|反面|排除|屏蔽|反)(?:词|詞)|負面|負向"
    "|ネガティブ呪文|否定プロンプト|負のプロンプト|ネガティヴ(?:プロンプト)?"
    "|부정 ?(?:명령어|키워드)"
)
_OF_PROMPT = (
    r"(?:(?:final|image|main|text|full|positive|optimi[sz]ed|enhanced|improved|refined|updated"
    r"|revised|detailed|suggested|stable diffusion|sdxl|sd|midjourney|flux|dall-?e|ai|art|english"
    r"|my|new|the)\s)"
)
_PROMPT = rf"{_OF_PROMPT}{{0,3}}prompts?(?:\s(?:#\s?)?\d{{1,2}})?|positive(?:[ _]prompts?)?"
_PROMPT_CJK = (
    "(?:正面|正向|正|主|英文|中文|最终|最終|图像|圖像|绘画|繪畫|AI绘画)?(?:提示|关键|關鍵|描述)(?:词|詞|语|語)"
    "|(?:正面|正向|正)?咒(?:语|語)|正咒|(?:正面|正向)(?:词|詞)|呪文|(?:メイン|ポジティブ)プロンプト|프롬프트|긍정"
)
_MARK = r"[*_]{1,3}"
_MARKED_END = rf"\s?(?::\s?{_MARK}|{_MARK}\s?:)"
_START = r"\A\s{0,9}"
_ITEM = r"(?:(?:\d{1,2}[.)]|[-•>])\s{0,3})?"  # of a list
_SURE = r"(?:(?:sure|certainly|of course|okay|ok|absolutely)\s?[!,.]{0,3}\s{1,3})?"
_HERE = (
    rf"{_SURE}here(?:['’]s|\sis|\sare)\s(?:the|your|a|an|my|some)?\s?(?:[\w\-]{{1,20}}\s){{0,5}}?prompts?"
    r"(?![\w'’])[^:\n]{0,80}:"
)
# Of a test, and not the label of a prompt.
_OF_TEST = re.compile(
    r"(?i:\b(?:tests?|results?|pregnan\w+|covid|blood|film|charge|pole|terminal)\b)"
)
_VALUE = r"[\"']\s?:\s?[\"'\[]"
_JSON_KEYS = (
    r"(?:positive|negative|neg|pos|uc)(?:_?prompts?)?(?:_[gl])?|prompts?(?:_\w{1,20})?|text(?:_[gl12])?"
    r"|captions?|inputs?|description|style_prompt|undesired_content"
)
_TAG_NAME = (
    r"(?:prompts?|positive(?:[_\-]prompts?)?|caption|image[_\-]prompts?|output|answer|think|user"
    "|assistant|system)"
)
_NEGATIVE_TAG = r"(?:neg|negative|negative[_\-]prompts?)"
_PROGRAM = (
    r"(?<![\w.])(?:\w{1,30}\s?=\s?)?pipe(?:line)?\(\s{0,9}(?:(?:prompt|negative_prompt)\s?=\s?)?[\"']"
    r"(?s:.*)"
)
_LABEL = "the label of a prompt, but here a part of it"
_NEGATIVE_LABEL = "the label of a negative prompt, but here a part of the prompt"
_APART = "Give the negative prompt apart."
_PARAMETERS = "a pasted block of generation parameters, but here all of it is part of the prompt"
_ALONE = "Keep the prompt alone, and give the negative prompt, the steps and the rest apart."

OF_PROGRAM = Notation(
    "pasted-parameters",
    "\"'",
    re.compile(
        rf"\A\s{{0,9}}\[?\s{{0,9}}(?P<shown>\{{\s{{0,99}}[\"'](?i:{_JSON_KEYS}){_VALUE}(?s:.*))|{_PROGRAM}"
    ),
    ALL,
    _PARAMETERS,
    _ALONE,
)
LABELS = (
    Notation(
        "negative-label",
        "*_",
        re.compile(rf"(?<![\w*_]){_MARK}\s?(?i:{_NEGATIVE}|{NEGATIVE_CJK}){_MARKED_END}"),
        ALL,
        _NEGATIVE_LABEL,
        _APART,
    ),
    Notation(
        "pasted-parameters",
        "*_",
        re.compile(
            rf"(?:{_START}|(?<=\n))(?P<shown>{_ITEM}{_MARK}\s?(?i:{_PROMPT}|{_PROMPT_CJK}){_MARKED_END})(?=\s{{0,9}}\S)"
        ),
        ALL,
        _LABEL,
        "Leave it out.",
    ),
    Notation(
        "negative-label",
        ":=",
        re.compile(
            rf"(?<![^\s,.;、。|(\[])(?P<shown>(?:{NEGATIVE_CJK})\s?[:=])(?=\s{{0,9}}[^\s:=])"
            r"|(?<![\w.])(?i:neg(?:ative)?[ _\-]?prompts?)(?:\s{0,3}=\s{0,3})(?=[\"'(\[])"
        ),
        ALL,
        _NEGATIVE_LABEL,
        _APART,
        hint=re.compile("[反负負逆否消排屏ネ부]|(?i:neg)"),
    ),
    Notation(
        "pasted-parameters",
        ":=-–—>\n",
        re.compile(
            rf"{_START}(?P<shown>{_ITEM}(?:(?:{_PROMPT_CJK})\s?[:=]|(?i:{_HERE})"
            rf"|(?i:(?!positive\s?[:=])(?:{_PROMPT}))(?:\s{{0,3}}(?::|=(?!\s?\d))|\s{{1,3}}[-–—]+>?\s|\s?>|\s{{0,3}}\n)))(?=\s{{0,9}}\S)"
        ),
        ALL,
        _LABEL,
        "Leave it out.",
    ),
    Notation(
        "pasted-parameters",
        ":=",
        re.compile(rf"{_START}(?P<shown>{_ITEM}(?:Positive|POSITIVE)\s?[:=])(?=\s{{0,9}}\S)"),
        ALL,
        _LABEL,
        "Leave it out.",
        unless=_OF_TEST,
    ),
    Notation(
        "negative-label",
        "<[",
        re.compile(rf"<(?i:{_NEGATIVE_TAG})>|\[(?i:negative[_\- ]prompts?)\]"),
        ALL,
        _NEGATIVE_LABEL,
        _APART,
    ),
    Notation(
        "pasted-parameters",
        "<[",
        re.compile(
            rf"</?(?i:{_TAG_NAME})>|</(?i:{_NEGATIVE_TAG})>"
            r"|\A\s{0,9}(?P<shown>\[(?i:(?:positive[_\- ])?prompts?)\])(?=\s{0,9}[^\W\d])"
        ),
        ALL,
        _LABEL,
        "Leave it out.",
    ),
)
