"""List notations that lost their brackets or signs: one `+`, a LoRA in words, a negative's label.

Ordinary text has most of these signs too, so each pattern names what it is ordinary with.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import ALL, EXCEPT_PLAIN, MEASURED, SMALL, Notation, not_after
from clipcond.prompt.ordinary import SEQUELS, SPOKEN
from clipcond.prompt.spaced_labels import CYRILLIC, SPACED, SPACED_SHORT, STATED, TWO_POLES

_LETTERS = "a-zß-öø-ÿа-яё"
# Words with a plus of their own: brands, keys, and what is counted.
WITH_PLUS = (
    "disney|google|paramount|apple|discovery|hulu|espn|canal|peacock|sky ?tv|tv|lgbt\\w{0,4}|hdr"
    "|rgb"
    "|pro|plus|max|ultra|premium|prime|notepad|bac|wifi|micro|ctrl|control|alt|shift|cmd|command"
    "|option|win|tab|enter|esc|years?|yrs?|months?|weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?"
    "|miles?|met(?:er|re)s?|people|persons?|men|women|players?|followers?|subscribers?|users?"
    "|members?|inch(?:es)?|lbs|pounds?|dollars?|euros?|percent|degrees?|ages?|aged|grades?|levels?"
    "|hundreds?|thousands?|millions?|dozens?|regex|sin|cos|log|exp"
)
# Words that a hyphen ends where another word is to follow: low- and mid-range.
WITH_HYPHEN = (
    "low|mid|high|pre|post|semi|self|non|anti|multi|early|late|short|long|over|under|half|full|left"
    "|right|two|three|four|five|six|seven|eight|nine|ten|first|second|third|front|back|upper|lower"
    "|inner|outer|north|south|east|west|micro|macro|nano|mega|super|hyper|ultra|sub|inter|intra"
    "|trans|cross|neo|proto|pseudo|quasi|retro|bio|eco|geo|cyber|techno|electro|photo|video|audio"
    "|tele|auto|mono|tri|quad|poly|uni|omni|all|any|one|single|double|triple|counter|extra|mini"
)
_SUSPENDED = re.compile(
    r"\w-\s(?:and|or|to|und|oder|bis|et|ou|y|o|e)\b|\w-,\s?(?:(?:and|or)\s)?\w{1,40}-\w"
)
_MEASURES = "|".join(MEASURED.split())
_ENDS = r"(?=[\s,;)\]]|\.?\Z)"
_PLUS = (
    rf"(?<![\w+\-.#@&/'’\"$\\])(?<!\d\s)(?!(?:{WITH_PLUS}|{_MEASURES})\+)"
    rf"(?P<words>[{_LETTERS}](?:[{_LETTERS}_]|-(?=[{_LETTERS}])){{2,40}})(?P<number>\+){_ENDS}"
)
_MINUS = (
    rf"(?:\A|(?<=[,;]))\s?(?:[{_LETTERS}]{{1,40}}\s){{0,2}}(?P<shown>"
    rf"(?!(?:{WITH_HYPHEN}|{_MEASURES}|{SPOKEN})-)(?P<words_2>[{_LETTERS}](?:[{_LETTERS}_]|-(?=[{_LETTERS}])){{2,40}})"
    r"(?P<number_2>-))(?=\s?(?:[,;]|\Z))"
)
LOAD = "Leave it out, and load the network into the pipeline: load_lora_weights."
_NETWORKS = r"(?:lora|lyco|locon|loha|hypernet(?:work)?)"
_NETWORK_NAME = (
    r"(?!(?i:rank|alpha|dim|weight|strength|scale|version|style|training|model|at|of|with)\b)"
    r"[^\W\d][\w.\-]{1,99}"
)
_OTHER_LABELS = "undesired(?:[ _]content)?|unwanted|avoid|exclude"
_LABELS = (
    rf"(?:neg(?:ative|ativ|ativo|ativa|atif)?|n[eé]gatif|uc|{_OTHER_LABELS})(?:[ _]?prompts?)?"
)
_IS = r"\s?[:=：]\s?(?!\d?\.?\d{1,3}\s?[)\]}])(?=[\w(\[\"])"
# A negative is a film too.
_FILM = r"(?i:negative\s?:[^\n]{0,200}(?:\bfilm\b(?!\sgrain)|photographic|darkroom))"
_LABELS_CJK = "负面|反面|负向|反向|ネガ|부정"
_NO_SENTENCE = not_after(STATED)
_CAPITALS = (
    r"(?:N(?:eg(?:ative|ativ|ativo|ativa|atif)?|[eé]gatif|EG(?:ATIVE)?)|Негатив(?:н\w{2})?)"
    r"(?:[ _][PpПп]\w{5,6})?"
)
_ANY_CASE = (
    r"(?:(?i:neg(?:ative|ativ|ativo|ativa|atif)?|n[eé]gatif)(?:[ _](?i:prompts?))?"
    rf"|(?i:{CYRILLIC}))"
)
_THEN = r"\s?[:=](?=\s?(?:\d{0,2}[^\W\d]|[(\[\"]))"  # (negative:1.2) is a weight
_WITHIN = (
    rf"(?<=[^\s,;:])(?=\s{{1,3}}[NН负反])(?i:{_NO_SENTENCE})\s{{1,3}}(?P<shown>(?:{_CAPITALS}|负面|负向|反向){_THEN})"
    r"|(?:(?<![A-Za-z\d_])[(\[{]|\s[|;•]|\s(?:/|[-—–]{1,2})(?=\s))\s{0,2}"
    rf"(?P<shown_2>(?:{_ANY_CASE}|负面|负向){_THEN})"
    r"|(?<!\w)(?i:negative[ _]prompts?)"
    r"(?:\s[-—–]{1,2}\s|\s?[—–→]{1,2}\s?|\s?[-=]>\s?|\s?=\s?)(?=\w)"
)
# Behind the label of a prompt any is one.
_BOTH = (
    r"\A\s{0,9}[(\[{\"]?(?i:positiv(?:e|o|a)?|pos|prompts?|positif|позитив\w{0,3}|промпт|正面|正向|提示|ポジ|긍정)"
    r"[^\n:=]{0,12}[:=][^\n]{1,400}?[^\w\n:=]"
    rf"(?P<shown>(?:{_ANY_CASE}|{_LABELS_CJK})\w{{0,9}}{_THEN})"
)
# Behind which a space is enough.
_LABEL_ALONE = (
    "(?:(?:负面|反向|负向|反面|逆向)(?:提示词?|关键词|词)|ネガティブプロンプト|네거티브 ?프롬프트"
    r"|(?i:negative[ _]prompts?)(?=[ \t]+[(\[]?(?i:ugly|blur|bad|worst|low|deform|disfigur|extra"
    "|missing|mutat|watermark|signature|jpeg|nsfw|cropped|errors?|poor|duplicate|easyneg"
    "|badhand|out of)))"
)

_ENDING = r"(?:\.(?:safetensors|ckpt|pth|pt|bin))"
_FOLDERS = r"(?:[\w.\-]{1,60}[/\\]){0,9}"
_NAME = rf"(?P<name>\w(?:[\w.\-]{{0,99}}?[\w\-])??)(?:{_ENDING}(?!\w)|(?![\w\-]|\.\w))"
# `embedding: x` where a tag begins; alone, or it may be ordinary text
_ALONE = (
    r"(?:(?:^|[,，(;\n])[ \t]{0,9}"
    r"|(?<!\w)(?=\w{9,10}[ \t]{0,3}[:：][ \t]{0,3}[a-z]{0,60}[A-Z\d_\-]))"
    r"(?P<shown>(?!(?i:embeddings?)[:：]\w)(?i:embeddings?)[ \t]{0,3}"
    r"[:：=/][ \t]{0,3}(?P<name_2>\w[\w.\-]{0,99}?)"
    rf"{_ENDING}?(?=\s{{0,9}}(?:[,，):;\n]|\Z)))"
)

_TAG = r"<(?i:emb|embed|embedding|ti):\s?"
_TAG_NAME = rf"(?P<name>[^<>:\n]{{1,200}}?){_ENDING}?\s?"
_OF_OTHER = "a textual inversion of another user interface, but not here"
_NAMED = "Write embedding:{name} behind a space, a bracket or a line end."
_BARE = "Write its bare name, {name}, once its file is loaded."
# <embedding:name>, and with a weight
INVERSION_TAGS = (
    Notation(
        "extra-network",
        "<",
        re.compile(rf"{_TAG}{_TAG_NAME}>"),
        {"comfyui"},
        _OF_OTHER,
        _NAMED,
    ),
    Notation(
        "extra-network",
        "<",
        re.compile(rf"{_TAG}{_TAG_NAME}>"),
        EXCEPT_PLAIN - {"comfyui"},
        _OF_OTHER,
        _BARE,
    ),
    Notation(
        "extra-network",
        "<",
        re.compile(rf"{_TAG}{_TAG_NAME}:\s?(?P<number>{SMALL}|[0-3])\s?>"),
        {"comfyui"},
        _OF_OTHER,
        "Write (embedding:{name}:{number}).",
    ),
    Notation(
        "extra-network",
        "<",
        re.compile(
            rf"{_TAG}(?P<words>[^<>:\n]{{1,200}}?){_ENDING}?:\s?(?P<number>{SMALL}|[0-3])\s?>"
        ),
        EXCEPT_PLAIN - {"comfyui"},
        _OF_OTHER,
        "Write {weight}.",
    ),
)
BARE_NETWORKS = (
    Notation(
        "extra-network",
        ":<",
        re.compile(
            r"<(?i:lora|lyco|hypernet)(?!:)[^\w<>\n]{1,3}\w[^<>\n]{0,99}[^\w<>]\d?\.?\d{1,3}>"
            r"|(?!<\w{1,9}:\w)< {0,3}(?i:lora|lyco|hypernet)"
            r" {0,3}(?::| (?=[^<>\n]{0,99}:)) {0,3}[^<>\n]{1,200}>"
            r"|(?<![\w:<])<?(?i:lora|lyco|hypernet):[\w.\-]{1,99}:\s?[+-]?\d{0,3}(?:[.,]\d{1,9})?(?<=\d)(?![\w>:]|[.,]\d)"
            r"|(?<![\w<])(?<!<\s)(?i:lora|lyco|hypernet):[\w.\-]{1,99}:\s?[+-]?[\d.]{1,9}>"
            r"|[(\[{](?i:lora|lyco|hypernet)[: ][^()\[\]{}:\n]{1,200}:\s?[\d.]{1,9}[)\]}]"
        ),
        EXCEPT_PLAIN,
        "hardly meant as words",
        LOAD,
    ),
    Notation(
        "extra-network",
        ("lora", "lyco", "locon", "loha", "hypernet", "LoRA", "Lora", "LORA"),
        re.compile(
            rf"(?<![\w:<@#\-])(?i:{_NETWORKS})(?:\s{{1,3}}|\s?[:=]\s?|\s?\(\s?){_NETWORK_NAME}"
            rf"(?:\s{{1,3}}|\s?[:=@,]\s?){SMALL}\s?\)?(?=\s?(?:[,;\n]|\.?\Z))"
            rf"|(?<![\w:<@#\-/.])(?:{_NETWORKS}|LoRA):[^\W\d][\w.\-]{{1,99}}(?![\w:>])"
        ),
        EXCEPT_PLAIN,
        "hardly meant as words",
        LOAD,
    ),
)
BARE_NOTATIONS = (
    Notation(
        "other-dialect",
        "+",
        re.compile(_PLUS),
        EXCEPT_PLAIN - {"compel"},
        "a weight in dialect 'compel', but not here",
        "Write {weight}, or choose dialect 'compel'.",
        hint=re.compile(r"\w\+"),
    ),
    Notation(
        "other-dialect",
        "-",
        re.compile(_MINUS),
        EXCEPT_PLAIN - {"compel"},
        "a weight in dialect 'compel', but not here",
        "Write {weight}, or choose dialect 'compel'.",
        unless=_SUSPENDED,
        hint=re.compile(r"\w-\s?(?:[,;]|\Z)"),
    ),
    Notation(
        "weight",
        "(",
        re.compile(
            rf"(?:\A|(?<=[,;\n])\s?)(?P<shown>(?<!\\)\((?!(?:{SEQUELS}|{_MEASURES})\s)"
            rf"(?P<words>[{_LETTERS}]{{3,40}})\s(?P<number>2)\))(?=\s?(?:[,;\n]|\Z))"
        ),
        EXCEPT_PLAIN,
        "no weight without a colon",
        "Write {weight}.",
    ),
    Notation(
        "negative-label",
        (*":=-：负反逆ネ네", "egative", "EGATIVE"),
        re.compile(
            rf"\A\s{{0,9}}[(\[{{\"]?(?!{_FILM})(?i:{_LABELS}|{_LABELS_CJK}|{CYRILLIC}){_IS}"
            rf"|(?<![^\s,;。、])--?(?i:neg(?:ative)?(?:[_\-]?prompt)?)(?:\s{{1,3}}(?=[\w(\[\"])|{_IS})"
            rf"|(?<=[\n,.;])\s{{0,3}}(?P<shown>(?i:{_OTHER_LABELS}){_IS})"
            rf"|(?:\A|(?<=[\n,.;、]))\s{{0,3}}(?P<shown_2>{_LABEL_ALONE})"
            r"(?:[ \t]{1,3}|[-—–]{1,2})(?=[\w(\[])"
        ),
        ALL,
        "the label of a negative prompt, but here a part of the prompt",
        "Give the negative prompt apart.",
    ),
    *(
        Notation(
            "negative-label",
            ":=-—–→",
            re.compile(pattern),
            ALL,
            "the label of a negative prompt, but here a part of the prompt",
            "Give the negative prompt apart.",
            unless=unless,
            hint=re.compile(r"(?i:n[eé]g|негатив|отрицат|uc\s?:)|[负反ネ부]"),
        )
        for pattern, unless in (
            (_BOTH, None),
            (_WITHIN, TWO_POLES),
            (SPACED, None),
            (SPACED_SHORT, TWO_POLES),
        )
    ),
    Notation(
        "embedding",
        ("mbedding", "MBEDDING"),
        re.compile(
            r"(?<!\w)(?!(?:(?<=[ \n()])|(?<![\s\S]))embedding:)(?i:embeddings?)[:：]"
            rf"{_NAME}|{_ALONE}"
        ),
        {"comfyui"},
        "hardly meant as words: it refers to no embedding",
        _NAMED,
        folded=False,
    ),
    Notation(
        "embedding",
        ("mbedding", "MBEDDING"),
        re.compile(rf"(?<![^\s(,;])(?i:embeddings?):{_FOLDERS}{_NAME}|{_ALONE}"),
        EXCEPT_PLAIN - {"comfyui"},
        "a textual inversion in dialect 'comfyui', but not here",
        _BARE,
    ),
)
