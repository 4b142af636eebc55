r"""List backslashes that are read otherwise than they are meant: `\(` as text, `\D` as `D`.

Where a backslash escapes brackets, one before a letter is left out; elsewhere it is text.
"""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import ALL, BRACKETS, Notation

_SWALLOWING = BRACKETS - {"comfyui"}
_TEXT = r"[^\s\\,()\[\]{}<>\"]{0,40}"
# `AN\D` and `BREA\K` hide words from A1111; `\n` is a line break; C:\new is neither.
_HIDING = r"(?<=AN\\)D\b|(?<=BREA\\)K\b|u[\da-fA-F]{4}|x[\da-fA-F]{2}"
_LONE = rf"(?:\\(?=[ \t]|\Z)|\\(?![nrt]|{_HIDING})[^\W_])"
_LEFT_OUT = "text without its backslash: one that escapes nothing is left out"
_NO_ESCAPE = "no escape here: its backslashes are text"
_CHOOSE = "Choose dialect 'a1111'."  # what is left without them has a meaning there
_UNICODE = r"\\u[\da-fA-F]{4}|\\x[\da-fA-F]{2}"
_BEFORE = r"(?<!\\)(?:\\\\){0,9}"
_NONE = r"[^()\[\]{}\\\n]"
# Brackets with others in them, all of them with backslashes or round: \[a \{b\} (c)\]
_SQUARES = (
    rf"(?<!\\)(?:\\[\[{{]){{1,9}}(?:{_NONE}|\({_NONE}{{0,80}}\)|\\[\[{{]{_NONE}{{0,80}}\\[\]}}]){{0,80}}(?:\\[\]}}]){{1,9}}"
    r"|(?<!\\)\\[\[\]{}]"
)
ESCAPES = (
    Notation(
        "escape",
        "\\",
        re.compile(
            rf"{_BEFORE}(?P<shown>[A-Za-z]:(?:\\\\?[^\s\\,()\[\]{{}}<>\"]{{1,60}}){{1,9}})"
            rf"|{_BEFORE}(?P<shown_2>{_TEXT}(?:\\\\{_TEXT}){{0,3}}{_LONE}{_TEXT}(?:(?:\\\\|{_LONE}){_TEXT}){{0,9}})"
        ),
        _SWALLOWING,
        _LEFT_OUT,
        "Write {doubled}.",
        folded=False,
        known=re.compile(r"[A-Za-z]:(?:\\\\[^\s\\]*)+(?![\\])"),
    ),
    Notation(
        "escape",
        "\\",
        re.compile(r"¯\\_\([^()\n]{1,3}\)_/¯"),
        _SWALLOWING,
        "text without its backslash and brackets",
        r"Write ¯\\_\(ツ\)_/¯.",
        folded=False,
    ),
    Notation(
        "escape",
        ("\\u", "\\x"),
        re.compile(rf"{_BEFORE}(?P<shown>[^\W_]{{0,40}}(?:(?:{_UNICODE})[^\W_]{{0,40}}){{1,20}})"),
        ALL,
        "text with characters as a program writes them",
        "Write {decoded}.",
        folded=False,
    ),
    Notation(
        "escape",
        ("\\(",),
        re.compile(
            r"(?<!\\)(?P<shown>[^\s\\,()\[\]{}<>\"]{0,40}\\{1,2}\([^()\\\n]{1,80}:\s?[\d.]{1,5}\s?\\{1,2}\))"
        ),
        {"novelai", "diffusers"},
        _NO_ESCAPE,
        _CHOOSE,
        folded=False,
    ),
    Notation(
        "escape",
        ("\\[",),
        re.compile(
            r"(?<!\\)\\\[(?:[^()\[\]{}\\\n]{0,80}(?::\s?[\d.]{1,5}\s?|\|[^()\[\]{}\\\n]{0,80}))\\\]"
        ),
        {"comfyui", "compel", "diffusers", "novelai"},
        _NO_ESCAPE,
        _CHOOSE,
        folded=False,
    ),
    Notation(
        "escape",
        ("\\(", "\\)"),
        re.compile(
            r"(?<!\\)(?P<shown>[^\s\\,()\[\]{}<>\"]{0,40}\\{1,2}\((?P<words>[^()\\\n]{0,80})\\{1,2}\))|(?<!\\)\\[()]"
        ),
        {"novelai", "diffusers", "plain"},
        _NO_ESCAPE,
        "Write {bare}.",
        folded=False,
    ),
    *(
        Notation(
            "escape",
            ("\\[", "\\]", "\\{", "\\}"),
            re.compile(_SQUARES),
            readers,
            meaning,
            remedy,
            folded=False,
        )
        for readers, meaning, remedy in (
            ({"comfyui", "compel", "diffusers"}, _NO_ESCAPE, "Write {literal}."),
            ({"plain"}, _NO_ESCAPE, "Write {bare}."),
            (
                {"novelai"},
                "a weight with backslashes: there are no escapes here",
                "Write {rounded}.",
            ),
        )
    ),
    Notation(
        "escape",
        ("\\+", "\\-"),
        re.compile(r"(?<![\w\\])\w{1,40}(?:\\[+\-]){1,9}(?![\w\\])"),
        {"compel"},
        _NO_ESCAPE,
        "Write '{parted}'.",
        folded=False,
    ),
)
_PAIR = re.compile(r"\\(\\?)")
_ESCAPED = re.compile(r"\\u([\da-fA-F]{4})|\\x([\da-fA-F]{2})")
_ROUND = str.maketrans("[]{}", "()()")
_TWICE = re.compile(r"(?:\\[\[{])+(\\[\[{][^()\[\]{}\\]*\\[\]}])(?:\\[\]}])+")
_BEFORE_BRACKET = re.compile(r"(?<!\\)\\(?=[\[\]{}])")


def escape_names(words: str) -> dict[str, str]:
    """Write what has backslashes with all of them doubled, without any, or decoded.

    Args:
        words: as they are typed.
    """
    if "\\" not in words:
        return {}
    bare = words.replace("\\", "")
    once = _TWICE.sub(r"\1", words)  # round ones that are double look like a weight
    decoded = _ESCAPED.sub(lambda found: chr(int(found[1] or found[2], 16)), words)
    whole = decoded.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return {
        "doubled": _PAIR.sub(r"\\\\", words),
        "bare": bare,
        "parted": words.replace("\\", " ", 1).replace("\\", ""),
        "literal": bare,
        "rounded": once.replace("\\", "").translate(_ROUND),
        "round_escaped": once.translate(_ROUND),
        "decoded": whole,
    }


def without_escapes(source: str) -> tuple[str, list[int]]:
    """Leave out the backslashes before square brackets and braces.

    Returns:
        the prompt without them, and the position of each in the source.
    """
    places = [found.start() for found in _BEFORE_BRACKET.finditer(source)]
    return _BEFORE_BRACKET.sub("", source), places
