"""List the notations of user interfaces and image services, which act on them before any syntax.

Each row is a pattern that hardly occurs in ordinary text, and the syntaxes that read it as text.
"""

from __future__ import annotations

from html.entities import name2codepoint

import clipcond.lazy_re as re
from clipcond.prompt.bare_notations import INVERSION_TAGS
from clipcond.prompt.command_options import COMMAND_OPTIONS
from clipcond.prompt.labels import LABELS, OF_PROGRAM
from clipcond.prompt.notations import ALL, CJK, EXCEPT_PLAIN, NUMBER, SMALL, Notation
from clipcond.prompt.pasted import EMPTY_LABEL, ESCAPED, PASTED, PROMPT_LABEL
from clipcond.prompt.settings import SETTINGS

_NETWORKS = "lora|lyco|locon|loha|hypernet|hypernetwork"
_PARTS = (
    "segment|region|object|refiner|base|video|alternate|fromto|repeat|break|preset|param|setvar|var"
    "|macro|trigger|comment"
)
# `＃猫` is a hashtag.
_NOTE = "注释|注釋|备注|備考|注記|注意|说明|说|コメント|メモ|주석|메모"
_LOAD = "Leave it out, and load the network into the pipeline: load_lora_weights."
_ELEMENTS = (
    "b|i|u|em|strong|p|br|hr|div|span|a|h[1-6]|li|ul|ol|code|pre|img|sub|sup|font|table|td|tr|th"
    "|small|center|blockquote"
)
# A sign that says https://example.com/cats is ordinary.
_QUOTING = (
    "says reads saying reading visit at text sign url address website site titled named labeled"
)
_IMAGES = r"\.(?:png|jpe?g|webp|gif)|mj\.run|discord|midjourney"
_NOT_QUOTED = "".join(rf"(?<!\b{word} )" for word in _QUOTING.split())

# `%KSampler.seed%` and `%date:yyyy-MM-dd%` of ComfyUI's file names
_FILE_NAME = r"(?<![\w%])%(?:[^\W\d_][\w \-]{0,40}\.[^\W\d]\w{0,40}|date:[\w \-:.]{1,30})%(?![\w%])"
_TEMPLATE = (
    r"\{{1,2}\s?(?i:(?:user|input|base|main|original|my)?[_ ]?(?:prompts?|captions?|input|query)"
    r"|(?:positive|negative)(?:[_ ]prompt)?|placeholder)\s?\}{1,2}"
)
# What templates ask for; {cat} and {red} are weights of NovelAI's.
_PLACEHOLDERS = (
    "subject|subjects|style|styles|name|colou?r|animal|object|character|artist|theme|place|location"
    "|scene|setting|background|clothing|clothes|outfit|pose|mood|lighting|medium|season|weather"
    "|adjective|noun|verb|adverb|emotion|expression|trigger|token|topic|concept|keyword|keywords"
    "|description|text|action|item|genre|era|country|city|job|profession|gender|age|material|texture"
    "|your[ _]\\w{1,20}|insert[ _]\\w{1,20}|主体|风格|风景主题|颜色|人物|场景|动作|服装|背景"
)
# The name of a link may follow; `a[0](b.png)` is code.
_TITLED = r"(?:\s[\"'][^\"'\n]{0,200}[\"'])?"
_NO_INDEX = rf"(?:(?<![\w\]])|(?<=[{CJK}]))"
OTHER_TOOLS = (
    OF_PROGRAM,
    EMPTY_LABEL,
    PROMPT_LABEL,
    PASTED,
    ESCAPED,
    *LABELS,
    *SETTINGS,
    Notation(
        "random-choice",
        "{",
        re.compile(r"\{[^{}|]*\|[^{}]*\}"),
        EXCEPT_PLAIN,
        "a choice at random in ComfyUI's page and in A1111's Dynamic Prompts, but not here",
        "Write the one that you want, or expand the prompt: clipcond.Template(prompt).",
    ),
    Notation(
        "variable",
        "$%@#{",
        re.compile(
            r"[$#]\{\w[^{}]*\}|\{\$[^\W\d_]\w{0,40}\}|\$\$[^\W\d_]\w{0,40}\$\$|\$\([^\W\d]\w{0,40}\)|\{%.{1,99}?%\}"
            r"|(?<![\w%])%(?:%?[^\W\d_]\w{0,40}%%?|\([^\W\d]\w{0,40}\)[sdf]\b)(?![\w%])"
            r"|(?<![\w@.])@[^\W\d_]\w{1,40}@(?![\w@.])"
            rf"|{_FILE_NAME}|{_TEMPLATE}"
        ),
        EXCEPT_PLAIN,
        "a variable of a template, as in A1111's Dynamic Prompts, but not here",
        "Write its value.",
    ),
    Notation(
        "variable",
        "{",
        re.compile(
            rf"\{{{{1,2}}\s?(?i:{_PLACEHOLDERS})\s?\}}{{1,2}}|(?<=\s)\{{\d\}}(?=[\s,.])"
            r"|\{[a-z][a-z_\d]{0,40}_(?:colou?r|name|style|type|subject|prompt|theme|artist|object)s?\}"
        ),
        EXCEPT_PLAIN - {"novelai"},
        "a variable of a template, but not here",
        "Write its value.",
    ),
    Notation(
        "wildcard",
        ("__",),
        re.compile(
            r"(?<![A-Za-z\d_])__(?!(?:init|main|call|str|repr|doc|file|all|new)__)(?=[^\W\d_])"
            rf"[\w/*.\-]{{1,100}}?(?<!_)__(?!_)(?=[^\w]|[{CJK}]|\Z)"
        ),
        EXCEPT_PLAIN,
        "a word from a list in A1111's wildcards, but not here",
        "Write the word that you want, or expand the prompt: "
        "clipcond.Template(prompt, wildcards='DIR').",
    ),
    Notation(
        "comment",
        ("//", "/*"),
        re.compile(
            rf"(?:(?<=[\s,.;)\]}}{CJK}])|^)//(?!/)(?=[^\n]{{0,99}}?\w)[^\n]*"
            r"|/\*(?:[^*]|\*(?!/)){1,200}\*/"
        ),
        EXCEPT_PLAIN,
        "a comment that ComfyUI's page takes out, but not here",
        "Leave it out.",
    ),
    Notation(
        "comment",
        "#",
        re.compile(r"(?m:(?<=\s)|^)#+[ \t]{1,9}(?=[^\W\d])[^\n]*"),
        EXCEPT_PLAIN - {"a1111"},
        "a comment that A1111's page takes out, but not here",
        "Leave it out.",
    ),
    Notation(
        "comment",
        "＃﹟",
        re.compile(
            rf"(?:^|(?<=[\s,，.。{CJK}]))[＃﹟](?=[ \t\u3000]|[＃﹟]|{_NOTE})[^\n#]*$", re.MULTILINE
        ),
        EXCEPT_PLAIN,
        "no comment: that starts with an ASCII '#', and in dialect 'a1111' only",
        "Leave it out.",
        folded=False,
    ),
    *INVERSION_TAGS,
    *(
        Notation(
            "extra-network",
            "<",
            re.compile(
                rf"<(?i:{tags})(?:\[[^\]<>\n]{{0,40}}\])?:[^<>\n]{{1,200}}>"
                rf"(?:\s?(?:[:*=]\s?(?:{SMALL}|[0-2])|{SMALL})(?=[\s,;]|\.?\Z))?"
            ),
            EXCEPT_PLAIN,
            meaning,
            remedy,
        )
        for tags, meaning, remedy in (
            (_NETWORKS, "a network that A1111's user interface loads, but not here", _LOAD),
            (
                "wildcard|wc|random",
                "a choice at random of a user interface, but not here",
                "Write the one that you want.",
            ),
            (_PARTS, "a part of the picture in SwarmUI, but text here", "Leave it out."),
        )
    ),
    Notation(
        "html",
        "&",
        re.compile(
            rf"(?i:&lt;[^&\n]{{1,200}}&gt;|&(?:amp;)*(?:#\d{{2,6}}|#x[\da-f]{{2,6}});)"
            rf"|&(?:amp;)*(?:(?:{'|'.join(name2codepoint)});|(?:nbsp|quot)(?!\w))"
        ),
        EXCEPT_PLAIN,
        "text of a web page's source, and encoded as it is written",
        "Write {plain}",
    ),
    Notation(
        "html",
        "<[",
        re.compile(
            rf"(?!(?<=\w)<[A-Z]>)(?i:</?(?:{_ELEMENTS})(?:\s[^<>\n]{{0,200}})?/?>)|<!--"
            r"|(?i:\[/(?:b|i|u|url|img|color|quote|code)\]|\[(?:url|color|size)=[^\]\n]{1,200}\])"
        ),
        EXCEPT_PLAIN,
        "a tag of a web page, and encoded as words",
        "Leave it out.",
        folded=False,
    ),
    Notation(
        "html",
        ("](",),
        re.compile(
            r"!?\[(?P<words>[^\[\]\n]{1,200})\]\((?i:<?(?:https?://|www\.|mailto:|data:image/)[^\s()]{1,900})"
            rf"{_TITLED}\)|{_NO_INDEX}!?\[(?P<words_2>[^\[\]\n]{{1,200}})\]"
            rf"\((?i:[^\s()]{{1,200}}\.(?:png|jpe?g|webp|gif|svg|html?|md)){_TITLED}\)"
        ),
        EXCEPT_PLAIN,
        "a link as web pages are written, and its address is encoded as words",
        "Write {words}.",
        folded=False,
    ),
    Notation(
        "html",
        "%",
        re.compile(r"(?<=[A-Za-z,])%(?:20|2[CcFf89]|3[Aa])(?=\w)|(?:%[\dA-Fa-f]{2}){3,99}"),
        EXCEPT_PLAIN,
        "a sign as web addresses have it, and encoded as it is written",
        "Write the sign itself.",
    ),
    Notation(
        "special-token",
        "<[",
        re.compile(
            r"<\|(?i:end_?of_?text|start_?of_?text|endofprompt|im_start|im_end|pad)\|>|</?s>"
            r"|<(?:pad|unk|eos|bos|mask)>|\[(?:CLS|MASK|PAD|UNK)\]"
        ),
        ALL,
        "a special token of a tokenizer, which has no meaning as text",
        "Leave it out.",
        folded=False,
    ),
    Notation(
        "region",
        ("ADD", "AND_", "[S", "[PROMPT]", "[filewords]"),
        re.compile(
            r"\bADD(?:COL|ROW|COMM|BASE)\b|\[(?:SEP|SKIP|PROMPT)\]|\[filewords\]"
            r"|\bAND_[A-Z]{2,}\w*"
        ),
        EXCEPT_PLAIN,
        "a word for an extension of A1111, but not here",
        "Leave it out.",
    ),
    Notation(
        "novelai-weight",
        ":",
        re.compile(
            r"(?<![\w.:])(?P<number>[+-]?(?:\d+(?:[.,]\d*)?|\.\d+))::(?=[\s{\[(]{0,3}\w{0,9}[^\W\d_])"
            r"(?P<words>(?:(?![\s,]{0,9}[+-]?[\d.]{1,9}::)(?:[(\[{][^()\[\]{}:\n]{1,80}:"
            r"\s?[+-]?[\d.]{1,6}\s?[)\]}]|[^:;\n]|;(?![;:])|(?<=\w):(?=[^\W\d;]))){1,300})"
            r"(?:::|[:;]{2}|:(?=\s?(?:,|\Z)))?"
        ),
        EXCEPT_PLAIN - {"novelai"},
        "a weight in dialect 'novelai', but not here",
        "Write {weight}, or choose dialect 'novelai'.",
    ),
    Notation(
        "novelai-weight",
        "{",
        re.compile(
            r"(?<!\{)(?P<braces>\{{2,})(?P<words>[^{}|\"\n]+)\}{2,}(?!\+|--)"
            r"|\{(?![^{}]*:\s?[\d.]+\s?\})(?P<words_2>[^\W\d_][\w ,.'()\[\]:\-]*)\}(?!\+|--)"
        ),
        EXCEPT_PLAIN - {"novelai"},
        "a weight in dialect 'novelai', but not here",
        "Write {weight}, or choose dialect 'novelai'.",
    ),
    Notation(
        "midjourney-weight",
        ":",
        re.compile(
            rf"(?<![\w:])(?:\w{{1,60}}::)*(?P<words>\w{{1,60}})"
            rf"(?:::(?:(?P<number>{NUMBER})(?=[\s,{CJK}]|\Z)|(?=[\s,]|\Z))"
            rf"| ::\s?(?P<number_2>{NUMBER})(?=[\s,{CJK}]|\Z))"
            rf"|(?<![^\s,])::(?P<words_2>[^\W\d]\w{{0,60}})::(?P<number_3>{NUMBER})(?=[\s,{CJK}]|\Z)"
        ),
        EXCEPT_PLAIN - {"novelai"},
        "a weight or a border of Midjourney, but not here",
        "Leave it out; a weight is {part}.",
    ),
    *COMMAND_OPTIONS,
    Notation(
        "chat-command",
        "/!<",
        re.compile(
            r"<(?:[@#][!&]?|a?:\w{1,40}:)\d{5,20}>|(?m:^)\s{0,9}(?P<shown>[/!](?:imagine|dream|draw|generate|describe|blend)\b"
            r"(?:[ \t]{1,3}(?:prompt|image)\b ?:?)?)"
        ),
        EXCEPT_PLAIN,
        "a command of a chat, but text here",
        "Leave it out.",
    ),
    Notation(
        "image-address",
        ("://", "www.", "data:", "WWW."),
        re.compile(
            rf"(?i:(?<![\w\"'=(<@]){_NOT_QUOTED}(?:(?:https?|ftp|file)://|www\.)[^\s/,<>\"]{{0,200}}"
            r"/[^\s,<>\"]{1,900}|(?<!\w)data:image/[a-z+]{3,9};base64)"
        ),
        EXCEPT_PLAIN,
        "the address of an image or a page, but text here",
        "Leave it out; images are given apart.",
        unless=re.compile(rf"\A\s*(?!\S{{0,900}}(?:{_IMAGES}))\S+\s*\Z"),
    ),
)
