"""List words, tags and signs on which extensions of A1111 and ComfyUI, or NovelAI, act."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import EXCEPT_PLAIN, Notation

# Of ComfyUI's prompt control, with what is in their brackets.
_CALLS = (
    r"(?:COUPLE|I?MASK|MASKW|MASK_SIZE|AREA|FEATHER|FILL|STYLE|SHUFFLE|AVG|ATTN|TE_WEIGHT)\([^()\n]{0,200}\)?"
    r"|(?:SHIFT|NOISE|SDXL)\(\s?[+-]?[\d.][^()\n]{0,200}\)|DEF\(\w{1,40}(?:\([^()\n]{0,99}\))?\s?=[^()\n]{0,200}\)"
    r"|TE\(\s?[a-z_]\w{0,40}\s?=[^()\n]{0,200}\)|(?:BREAK|AND|CAT)\(\s?\)"
)
# Between words that are not in capitals; A COUPLE DANCING is a title.
_ALONE = (
    r"(?:(?<=[^\sA-Z]\s)|\A|(?<=\n))(?:COUPLE|FILL)(?=\s(?!of\b)[^\sA-Z]|\s(?:MASK|FILL|AREA)\()"
    r"|(?<=[^\sA-Z]\s)(?:MASK|IMASK|AVG|AREA)(?=\s[^\sA-Z])"
)
# As Unprompted has them; [b] and [url] are of a web page.
_OF_PAGES = r"(?:url|img|color|quote|code|size|br|font|center|list|table|td|tr)"
_TAG = rf"\[(?!{_OF_PAGES}\W)(?P<tag>[a-z_]{{2,20}})(?:\s[^\[\]\n]{{1,200}})?\]"
_CHOICE = r"\[choose(?:\s[^\[\]\n]{1,200})?\][^\[\]]{0,800}\[/choose\]"
TOOL_WORDS = (
    Notation(
        "region",
        ("(", "COUPLE", "FILL", "MASK", "AVG", "AREA"),
        re.compile(rf"(?<![A-Za-z\d_])(?:{_CALLS})|{_ALONE}"),
        EXCEPT_PLAIN,
        "a word for an extension of ComfyUI, but not here",
        "Leave it out.",
        hint=re.compile(
            "COUPLE|MASK|AREA|FEATHER|FILL|STYLE|SHUFFLE|AVG|ATTN|TE_|TE\\(|SHIFT|NOISE|SDXL|DEF"
            r"|(?:BREAK|AND|CAT)\("
        ),
    ),
    Notation(
        "random-choice",
        ("[/",),
        re.compile(_CHOICE),
        EXCEPT_PLAIN,
        "a choice at random of a user interface, but not here",
        "Write the one that you want.",
    ),
    Notation(
        "extension-tag",
        ("[/",),
        re.compile(rf"{_TAG}[^\[\]]{{0,800}}\[/(?P=tag)\]"),
        EXCEPT_PLAIN,
        "a tag for an extension of A1111, but not here",
        "Write what it makes.",
    ),
    Notation(
        "extension-tag",
        ("[/",),
        re.compile(rf"\[/(?!{_OF_PAGES}\W)[a-z_]{{2,20}}\]"),
        EXCEPT_PLAIN,
        "a tag for an extension of A1111, but not here",
        "Leave it out.",
    ),
    Notation(
        "extension-tag",
        ("[sets ", "[set ", "[chance ", "[file "),
        re.compile(
            r"\[(?:sets?\s\w{1,40}\s?=[^\[\]\n]{1,200}|set\s\w{1,40}\s_\w{1,20}|chance\s\d{1,3}%?|file\s[\w/.\-]{1,99})\]"
        ),
        EXCEPT_PLAIN,
        "a tag for an extension of A1111, but not here",
        "Leave it out.",
    ),
    Notation(
        "action-tag",
        "#",
        re.compile(r"(?<![\w#/])(?:source|target|mutual)#\s?(?P<words>[a-z][\w ]{1,40}\b)"),
        EXCEPT_PLAIN,
        "a tag of who does it in NovelAI, but text here",
        "Say it in words.",
    ),
    Notation(
        "text-label",
        ("Text:",),
        re.compile(r"(?:\A|(?<=[.,;\n])\s?|(?<=[.,;]\s))(?P<shown>Text:)(?=\s?\S)"),
        {"novelai"},
        "what begins a writing in NovelAI's pictures, but text here",
        "Leave it out.",
    ),
)
