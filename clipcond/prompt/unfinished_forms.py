"""List edits and weights that are not whole: a number outside or first, a bracket never closed."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.alternation_slips import NO_LABEL, TAGGED
from clipcond.prompt.notations import CJK, EXCEPT_PLAIN, NO_MEASURE, SMALL, Notation

_TEXT = r"[^\W\d][^\[\]():|\n]{0,60}"
_SHARE = r"0?\.\d{1,3}"  # of all steps
_STEP = rf"(?:{_SHARE}|\d{{1,2}})"
# Small letters, which no label has that is one: [narrator:]
_WORDS = (
    r"(?!(?:answer|question|verse|chorus|bridge|intro|outro|insert|narrator|voice|speaker|system"
    r"|assistant|input|output|example|caption|label|key|value|option|options|address|phone|email)\b)"
    rf"(?:(?:an?\s|the\s)?[a-z][a-z\-]{{2,20}}(?:\s[a-z\-]{{1,20}}){{0,4}}|[{CJK}]{{1,12}})"
)
# [[:alpha:]] of regular expressions
_CLASSES = "(?:alpha|digit|alnum|upper|lower|space|punct|print|graph|cntrl|xdigit|blank|word)"
_AT_END = r"(?=\s{0,9}(?:[,;\n]|\.?\Z))"
OUTSIDE = "no prompt editing: its number is outside"
_WRITE = "Write [{from}:{to}:{when}] in dialect 'a1111'."
_BEGINS = (
    "Write [:{to}:{when}] in dialect 'a1111' for a text that begins then, or [{to}::{when}] "
    "for one that ends."
)
UNFINISHED_FORMS = (
    Notation(
        "no-editing",
        ":",
        re.compile(
            rf"(?<![\w)\]\\])\[{TAGGED}(?P<from>{_TEXT}){NO_LABEL}:(?P<to>{_TEXT})\]"
            rf"(?:\s?[:=@*]\s?|\s?\(\s?|\s)?(?P<when>{_SHARE})\)?(?![\w.%])"
        ),
        EXCEPT_PLAIN,
        OUTSIDE,
        _WRITE,
        hint=re.compile(rf"\](?:\s?[:=@*(]\s?|\s)?{_SHARE}"),
    ),
    Notation(
        "no-editing",
        ":",
        re.compile(
            rf"(?<![\w)\]\\])\[{TAGGED}(?P<from>{_TEXT}){NO_LABEL}:(?P<to>{_TEXT})\]"
            rf"(?:\s?[:=@*]\s?|(?=[12]\.))(?P<number>[12](?:\.\d{{1,3}})?){_AT_END}"
        ),
        EXCEPT_PLAIN,
        "no weight, and no prompt editing: its step is missing",
        "Write ([{from}:{to}:0.5]:{number}) in dialect 'a1111', with your step for 0.5.",
        hint=re.compile(r"\](?:\s?[:=@*]\s?)?[12]"),
    ),
    Notation(
        "no-editing",
        ":",
        re.compile(
            rf"(?<![\w)\]\\])\[(?:(?P<from>{_TEXT}):\s?(?P<when>{_STEP})\s?:(?P<to>{_TEXT})"
            rf"|(?P<when_2>{_STEP}):(?P<from_2>{_TEXT}):(?P<to_2>{_TEXT}))\]"
        ),
        EXCEPT_PLAIN,
        "no prompt editing, whose number comes last",
        _WRITE,
    ),
    Notation(
        "no-editing",
        ":",
        re.compile(
            rf"(?<![\w)\]\\])\[(?:{TAGGED}(?P<to>{_WORDS}){NO_LABEL}:|:(?!{_CLASSES}:)(?P<to_2>{_WORDS}):?)\s?\]"
        ),
        EXCEPT_PLAIN,
        "no prompt editing: its number is missing",
        _BEGINS,
    ),
    Notation(
        "no-editing",
        "[",
        re.compile(
            rf"(?<![\w)\]\\])\[(?P<from>{_TEXT}):(?P<to>{_TEXT}):\s?(?P<when>{_STEP}){_AT_END}"
            r"(?=[^\[\]]*(?:\[|\Z))"
        ),
        {"comfyui", "compel", "diffusers"},
        "no prompt editing: its bracket is never closed",
        _WRITE,
    ),
    Notation(
        "weight",
        "(",
        re.compile(
            rf"(?<!\\)\((?P<words>[^()\[\]:\n]{{1,80}}){NO_MEASURE}\s?:\s?(?P<number>{SMALL})"
            r"(?![\d.,]?[\w:])(?=[^()]*(?:\(|\Z))"
        ),
        {"diffusers", "novelai"},
        "no weight: its bracket is never closed",
        "Write {weight}.",
    ),
)
