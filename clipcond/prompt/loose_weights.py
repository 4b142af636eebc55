"""List weights that are loose: a space in them, brackets of two kinds, a number that is missing."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import (
    CJK,
    EXCEPT_PLAIN,
    HEADLINE,
    MEASURED,
    NO_CJK_MEASURE,
    NO_MEASURE,
    SMALL,
    Notation,
    not_after,
)
from clipcond.prompt.ordinary import COUNTED, SEQUEL

_WRITE = "Write {weight}."
_NO_NAME = not_after(
    f"{MEASURED} about around approx mass earth android bluetooth euro eur usd java html css bar"
    " engine turbo patch firmware edition gen generation"
)
# A whole tag, in small letters; `part:2`, `toy story:2` and `eggs:2` are none.
NO_TAG = rf"(?:[\w ]{{0,80}}\b(?:says|reads|is|are|the)\b|(?:{COUNTED})\b|[a-z]+s:|{SEQUEL}:)"
WHOLE_TAG = (
    rf"(?:\A|(?<=[,;、，\n]))\s?(?P<shown_2>(?!{NO_TAG})"
    rf"(?P<words_3>[a-z][a-z\-]{{2,40}}(?: [a-z\-]{{1,40}}){{0,3}}|[{CJK}]{{2,20}}){NO_MEASURE}"
    r":(?P<number_3>[023]))(?=\s{0,3}(?:[,;、，\n]|\Z))"
)
# How much, in words.
_LEVEL = (
    r"(?:(?:very|super|extra|extremely|really|quite|a bit|much)\s)?(?i:high|low|strong|weak|maximum"
    r"|minimum|max|min|heavy|more|less|higher|lower|stronger|weaker)"
    r"|(?:很|最|非常|较|超|极)?[高低强弱中]"
)
# What is drawn, and is itself hardly high or low: (cat: high), not (quality: high)
DRAWN = (
    "cat|kitten|dog|puppy|puppies|fox|foxes|wolf|wolves|horse|bird|dragon|rabbit|bunny|bear|lion"
    "|tiger|fish|owl|deer|mouse|frog|snake|butterfly|butterflies|unicorn|robot|mecha|monster|elf"
    "|\\dgirls?|\\dboys?|girl|boy|woman|women|man|men|lady|ladies|child|children|person|people|face"
    "|hair|eyes|ears|horns?|tail|wings?|halo|smile|blush|freckles|tattoos?|beard|glasses|hat|dress"
    "|dresses|kimono|jacket|hoodie|armor|armour|uniform|cloak|cape|scarf|gloves|necklace|sword|gun"
    "|flower|rose|sunflower|sakura|cherry blossoms?|petals|castle|house|city|village|forest|car"
    "|boat|train|spaceship|planet|galaxy|snowflakes|sparkles|bubbles|feathers|masterpiece"
    "|best quality|worst quality|anime|manga|sketch|watercolor|oil painting|red|blue|green|yellow"
    "|purple|pink|orange|black|white|gold|silver"
)
DRAWN_CJK = (
    "猫|狗|狐狸|狼|马|鸟|龙|兔子?|熊|狮子|老虎|鱼|蝴蝶|机器人|女孩|男孩|少女|少年|女人|男人|女子|人物?"
    "|女の子|男の子|犬|鳥|竜|花|玫瑰|樱花|桜|头发|長髪|眼睛|翅膀|耳朵|尾巴|微笑|裙子|帽子|眼镜|剑|城堡"
    "|房子|城市|森林|杰作|最佳质量|红色?|蓝色?|绿色?|黄色?|紫色?|粉色?|黑色?|白色?|金色?|银色?"
)
NO_SETTING = not_after(
    f"{MEASURED} dropout momentum epsilon eps tol decay noise grid gain label bias seed"
)
LOOSE_WEIGHTS = (
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?<!\\)\((?:[\s,]|\(\s?\)){{0,9}}:\s{{0,9}}(?P<number>{SMALL}|[+-]?[12])\s{{0,9}}\)"
        ),
        EXCEPT_PLAIN,
        "a weight without text",
        "Write its text too, such as {weight}.",
    ),
    Notation(
        "weight",
        ")",
        re.compile(rf"(?<!\\)(?<!\w)\(\s{{0,9}}\)(?P<number>{SMALL}|[+-]{{1,9}})(?=[\s,;.)]|\Z)"),
        {"compel"},
        "a weight without text",
        "Write its text too, such as {weight}.",
    ),
    Notation(
        "novelai-weight",
        ":",
        re.compile(r"(?<![\w.])(?P<number>-?(?:\d{1,3}\.?\d{0,3}|\.\d{1,3}))::[\s,]{0,9}(?:::|\Z)"),
        {"novelai"},
        "a weight without text",
        "Write its text too, such as {weight}.",
    ),
    Notation(
        "weight",
        ":=",
        re.compile(
            r"(?<!\\)[(\[]\s?(?P<words>(?:[a-z][a-z\-]{0,20}\s){0,3}"
            rf"(?:{DRAWN})s?|[{CJK}]{{0,9}}(?:{DRAWN_CJK}))\s?[:=]\s?(?P<number>{_LEVEL})\s?[)\]]"
        ),
        EXCEPT_PLAIN,
        "no weight, because it is no plain number",
        _WRITE,
    ),
    Notation(
        "weight",
        "=*@^×~xX",
        re.compile(
            rf"(?<![\\\w)\]])[\[{{]\s?(?P<words>(?:[^\W\d_][\w\-]{{1,40}}(?:\s[\w\-]{{1,40}}){{0,3}}|[{CJK}]{{1,20}}))"
            rf"(?i:{NO_SETTING}){NO_CJK_MEASURE}"
            rf"(?:\s?[=*@^×~]\s?|\s[xX]\s?)(?P<number>{SMALL})\s?[\]}}]"
        ),
        EXCEPT_PLAIN,
        "no weight without a colon",
        _WRITE,
    ),
    Notation(
        "weight",
        ".,%",
        re.compile(
            rf"\((?P<words>[^()\[\]:\n]{{0,60}}(?:[a-z]{{2}}|[{CJK}])(?i:{_NO_NAME}){NO_CJK_MEASURE})"
            r",?(?:\s[xX×]?\s?(?P<number>-?[01]?\.\d{1,2}|1\d{2}\s?%)|(?<!s)\s(?P<number_2>[01],\d{1,2}))\s?\)"
        ),
        EXCEPT_PLAIN,
        "no weight without a colon",
        _WRITE,
        hint=re.compile(r"\s(?:[xX×]?\s?(?:-?[01]?\.\d{1,2}|1\d{2}\s?%)|[01],\d{1,2})\s?\)"),
    ),
    Notation(
        "weight",
        ')"+',
        re.compile(
            r"(?:(?<!\\)\((?P<words>[^()\n\d]{2,60})\)|(?<![\w\"])\"(?P<words_2>[^\W\d][^\"\n\d]{1,60})\")"
            rf"\s{{1,3}}(?P<number>\+{{1,4}}|-{{2,4}}|{SMALL})(?=\s?(?:[,;、]|\.?\Z))"
            r"|(?<![\w+\-.])(?P<words_3>[^\W\d_]{3,40})\s(?P<number_3>\+{2,4})(?=\s?(?:[,;、]|\.?\Z))"
        ),
        EXCEPT_PLAIN,
        "no weight, because of the space in it",
        _WRITE,
        unless=HEADLINE,
        known=re.compile(r"\(?[^\s()]{1,60}\)?[^ \t\w()][+-]"),  # an invisible sign, no space
    ),
    Notation(
        "weight",
        ("weight", "Weight"),
        re.compile(
            rf"(?:\A|(?<=[,;\n]))\s?(?P<shown>(?P<words>(?:[a-z\-]{{1,20}}\s){{0,3}}(?:{DRAWN})),?\s(?i:weight)\s?[:=]\s?"
            rf"(?P<number>{SMALL}))(?=\s{{0,3}}(?:[,;\n]|\Z))"
        ),
        EXCEPT_PLAIN,
        "no weight without brackets",
        _WRITE,
    ),
    Notation(
        "weight",
        "重",
        re.compile(
            rf"(?P<words>[{CJK}]{{1,20}}?)[\s,、]{{0,2}}(?:权重|權重|重み)(?:为|是|は)?\s?[:=]?\s?"
            rf"(?P<number>{SMALL})(?=\s{{0,3}}(?:[,;、。\n]|\Z))"
        ),
        EXCEPT_PLAIN,
        "no weight without brackets",
        _WRITE,
    ),
    Notation(
        "weight",
        "\"'`",
        re.compile(
            rf"(?<![\w\"'`])([\"'`])(?P<words>[^\W\d][^\"'`\n:]{{0,60}})\1(?:\s?:\s?(?P<number>{SMALL})(?=\s?(?:[,;、]|\.?\Z))|:(?P<number_2>{SMALL})(?=\s(?:[\"'`(\[]|[^\W\d])))"
        ),
        EXCEPT_PLAIN,
        "no weight, because its words are in quotes",
        _WRITE,
    ),
    Notation(
        "weight",
        "“”„«",
        re.compile(
            r"[“”„«]\s?(?P<words>[^\W_][^“”„«»\"\n]{0,60}?)\s?[“”»]"
            rf"(?P<number>(?:\+{{1,4}}|{SMALL})(?=[\s,;.)]|\Z)|-{{2,4}}(?=\s?(?:[,;)]|\Z)))"
        ),
        {"compel"},
        "no weight, because its quotes are curly",
        _WRITE,
        folded=False,
    ),
    Notation(
        "weight",
        "，、。；：！？",
        re.compile(
            rf"(?<![\w+\-])(?P<words>[{CJK}]{{1,40}}|[a-z]{{3,40}})(?P<number>[+-])(?=[，、。；：！？])"
        ),
        {"compel"},
        "no weight: its sign touches a full-width sign",
        "Write a space behind it, or {weight}.",
        folded=False,
    ),
    Notation(
        "weight",
        ")",
        re.compile(r"(?<!\\)\)-[0-2](?=[\s,;)]|\.?\Z)"),
        {"compel"},
        "a weight in its first part only: the rest is text",
        "No weight is below 0 here: write one from 0 to 1, or give a negative prompt.",
    ),
    Notation(
        "weight",
        ")",
        re.compile(
            r"(?<!\\)\)(?:\+(?P<more>0?\.\d{1,3})|(?P<signs>\+[1-3])(?!\.\d)|(?P<number_3>[+-]{2,9})[0-3](?!\.\d)"
            r"|[+-]{1,9}(?P<number>\d?\.\d{1,3})"
            r"|(?P<number_2>\d?\.\d{1,3})(?:[+-]{1,9}|(?:\.\d{1,3}){1,9}))"
            r"(?=[\s,;.)]|\Z)"
        ),
        {"compel"},
        "a weight in its first part only: the rest is text",
        _WRITE,
    ),
    Notation(
        "weight",
        ")",
        re.compile(
            r"(?:\A|(?<=[,;\n])|(?<=[,;]\s))\((?P<words>[^\W\d][^()\[\]:\n]{2,60})\)(?:(?P<signs>[+-][1-3])|(?P<number>[+-]{2,9})[0-3]|(?P<number_2>2))(?=\s?[,;]|\.?\Z)"
        ),
        EXCEPT_PLAIN - {"compel"},
        "no weight behind a bracket",
        _WRITE,
    ),
    Notation(
        "weight",
        ")",
        re.compile(
            rf"(?:(?<=[^\W\d_]{{2}})|(?<=[{CJK}]))\)"  # (a)+0.5 is a sum
            r"(?:\+(?P<more>0?\.\d{1,3})|[+-]{1,9}(?P<number>\d?\.\d{1,3}))(?=[\s,.;)\"]|\Z)"
        ),
        EXCEPT_PLAIN - {"compel"},
        "no weight behind a bracket",
        "Write the number inside: {weight}.",
    ),
    Notation(
        "weight",
        ":",
        re.compile(r"(?<!\\)\((?P<words>[^()\[\]:\n]{0,80}[^\W\d_]):\s?\)"),
        EXCEPT_PLAIN,
        "no weight: its number is missing",
        _WRITE,
        bare=True,
    ),
    Notation(
        "weight",
        ":",
        re.compile(
            rf"(?<!\\)\((?P<words>[^()\[\]{{}}:\n]{{1,80}}){NO_MEASURE}:\s?(?P<number>{SMALL})\s?[\]}}>⟧]"
            rf"|[\[{{<⟦](?P<words_2>[^()\[\]{{}}<>:\n]{{1,80}}){NO_MEASURE}:\s?(?P<number_2>{SMALL})\s?\)"
        ),
        EXCEPT_PLAIN,
        "no weight: its brackets are of two kinds",
        _WRITE,
        bare=True,
    ),
)
