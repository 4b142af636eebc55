"""List the notations that prompts carry from one tool to another, and what they mean there.

Each row is a pattern that hardly occurs in ordinary text, and the syntaxes that read it as text.
This file has what user interfaces act on before any syntax is read, slips of the hand in a weight,
and the notations of image services; `lookalikes` has the syntaxes that are dialects here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

BRACKETS = frozenset({"a1111", "comfyui", "lpw", "lpw_xl", "sd_embed"})
WITHOUT_BRACKETS = frozenset({"compel", "diffusers"})
ALL = BRACKETS | WITHOUT_BRACKETS
WITH_NOVELAI = ALL | {"novelai"}
EVERY = WITH_NOVELAI | {"plain"}


class Notation(NamedTuple):
    r"""Something that means more elsewhere than to the syntax that reads it.

    Args:
        code: the kind, for programs.
        signs: characters of which the prompt holds one wherever the pattern matches; it is looked
            for only then.
        pattern: linear in the prompt's length. If it has a group `shown`, that is what is shown.
        readers: the syntaxes that read it as text.
        meaning: completes the sentence "... is ...", and says what it is here.
        remedy: what to do instead; `\g<name>` is a group of the pattern.
        unless: where this occurs anywhere in the prompt, nothing is found.
    """

    code: str
    signs: str
    pattern: re.Pattern[str]
    readers: Collection[str]
    meaning: str
    remedy: str
    unless: re.Pattern[str] | None = None


_WORD = r"(?<!\w)\d?[^\W\d_][^\W\d]{1,40}"
_SMALL = r"[+-]?[0-2]?\.\d{1,3}"  # a number as weights are
_NUMBER = r"[+-]?(?:\d{1,3}(?:\.\d{1,3})?|\.\d{1,3})"
_END = r"(?=\s{1,9}[^\s)\]）】］,]|\s{0,9}(?:[,，;]|\Z))"
_NAME = r"(?P<name>\w[\w.\-]{0,99})"
_IN_COMFYUI = "a comment that ComfyUI's page takes out, but not here"
_TAGS = "lora|lyco|locon|loha|hypernet|hypernetwork|wildcard|embed|embedding|ti|random|segment"
# Words before a number that is no weight: (version1.5), ratio:1.85
_MEASURES = r"(?!(?i:ver|version|ratio|aspect|scale|http|usb|sdxl|sd|gpt|web)(?![^\W\d_]))"
# `embedding: x` where a tag begins; alone, or it may be ordinary text
_ALONE = (
    r"(?:(?:^|[,，(;\n])[ \t]{0,9}"
    r"|(?<!\w)(?=\w{9,10}[ \t]{0,3}[:：][ \t]{0,3}[a-z]{0,60}[A-Z\d_\-]))"
    r"(?P<shown>(?!(?i:embeddings?)[:：]\w)(?i:embeddings?)[ \t]{0,3}"
    r"[:：=/][ \t]{0,3}(?P<alone>\w[\w.\-]{0,99})(?=\s{0,9}(?:[,，):;\n]|\Z)))"
)

PASTED = Notation(
    "pasted-parameters",
    ":：",
    re.compile(
        r"(?:(?i:\bnegative[ _]prompt) ?[:：]|(?:反向|负面|负向|反面)提示词? ?[:：]"
        r"|\"class_type\" ?:"
        r"|\bSteps: ?\d+[,\n] ?[A-Z][\w ]{1,30}:|\b(?:CFG scale|Clip skip|Model hash): ?\w"
        r"|\bSampler: ?[A-Z][\w+ ]{1,30},|\bSeed: ?\d{4})(?s:.*)"
    ),
    EVERY,
    "a pasted block of generation parameters, but here all of it is part of the prompt",
    "Keep the prompt alone, and give the negative prompt, the steps and the rest apart.",
)
NOTATIONS = (
    PASTED,
    Notation(
        "random-choice",
        "{",
        re.compile(r"\{[^{}|]*\|[^{}]*\}"),
        EVERY,
        "a choice at random in ComfyUI's page and in A1111's Dynamic Prompts, but not here",
        "Write the one that you want.",
    ),
    Notation(
        "variable",
        "$",
        re.compile(r"\$\{\w[^{}]*\}"),
        EVERY,
        "a variable of A1111's Dynamic Prompts, but not here",
        "Write its value.",
    ),
    Notation(
        "wildcard",
        "_",
        re.compile(
            r"(?<!\w)__(?!(?:init|main|call|str|repr|doc|file|all|new)__)(?=[^\W\d_])[\w/*.\-]{1,100}?(?<!_)__(?!\w)"
        ),
        EVERY,
        "a word from a list in A1111's wildcards, but not here",
        "Write the word that you want.",
    ),
    Notation(
        "comment",
        "/",
        re.compile(
            r"(?:(?<=[\s,.;)\]}])|^)//(?!/)(?=[^\n]{0,99}?\w)[^\n]*|/\*(?:[^*]|\*(?!/)){1,200}\*/"
        ),
        EVERY,
        _IN_COMFYUI,
        "Leave it out.",
    ),
    Notation(
        "comment",
        "#",
        re.compile(r"(?m:(?<=\s)|^)#+[ \t]{1,9}(?=[^\W\d])[^\n]*"),
        EVERY - {"a1111"},
        "a comment that A1111's page takes out, but not here",
        "Leave it out.",
    ),
    Notation(
        "extra-network",
        "<",
        re.compile(rf"<(?i:{_TAGS})(?:\[[^\]<>\n]{{0,40}}\])?:[^<>\n]{{1,200}}>"),
        EVERY - {"plain"},
        "a network that A1111's user interface loads, but not here",
        "Leave it out, and load the network into the pipeline: load_lora_weights.",
    ),
    Notation(
        "extra-network",
        ":：",
        re.compile(
            r"[<＜] {0,3}(?i:lora|lyco|hypernet) {0,3}[:： ] {0,3}[^<>＜＞\n]{1,200}[>＞]"
            r"|[(\[{（](?i:lora|lyco|hypernet)[:：][^()\[\]{}（）:\n]{1,200}[:：]\s?[\d.]{1,9}[)\]}）]"
        ),
        EVERY - {"plain"},
        "hardly meant as words",
        "Leave it out, and load the network into the pipeline: load_lora_weights.",
    ),
    Notation(
        "region",
        "D[",
        re.compile(r"\bADD(?:COL|ROW|COMM|BASE)\b|\[(?:SEP|SKIP|PROMPT)\]|\[filewords\]"),
        EVERY - {"plain"},
        "a word for an extension of A1111, but not here",
        "Leave it out.",
    ),
    Notation(
        "novelai-weight",
        ":",
        re.compile(
            r"(?<![\w.:])[+-]?(?:\d+(?:[.,]\d*)?|\.\d+)::(?=[\s{\[]{0,3}\w{0,9}[^\W\d_])[^:\n]{1,300}(?:::)?"
        ),
        ALL,
        "a weight in dialect 'novelai', but not here",
        "Write (cat:1.3) where brackets are weights, or choose dialect 'novelai'.",
    ),
    Notation(
        "novelai-weight",
        ":",
        re.compile(r"(?<![\w.])[+-]?\d+,\d+::"),
        {"novelai"},
        "no weight, because of its comma",
        "Write a decimal point: 1.3::cat::",
    ),
    Notation(
        "novelai-weight",
        "{",
        re.compile(r"(?<!\{)\{{2,}[^{}|\"\n]+\}{2,}|\{[^\W\d_][\w ,.'()\[\]:\-]*\}"),
        ALL,
        "a weight in dialect 'novelai', but not here",
        "Write (cat:1.05) where brackets are weights, or choose dialect 'novelai'.",
    ),
    Notation(
        "midjourney-weight",
        ":",
        re.compile(rf"(?<!\w)\w{{1,60}}(?:::(?:{_NUMBER})?| ::{_NUMBER})(?=[\s,]|\Z)"),
        ALL,
        "a weight or a border of Midjourney, but not here",
        "Leave it out; a weight is written as the dialect has it.",
    ),
    Notation(
        "midjourney-flag",
        "-",
        re.compile(
            r"(?<!\S)--(?:ar|aspect|v|version|s|stylize|q|quality|chaos|c|iw|seed|niji|style|no|sref"
            r"|cref|weird|w|h|hd|tile|raw|fast)(?=\s+[\w.:]|\s*\Z)(?:[ \t]+[\d.:]+)?"
        ),
        EVERY - {"plain"},
        "an option of Midjourney, but text here",
        "Leave it out, and choose size, seed and the rest where the picture is made.",
    ),
    Notation(
        "embedding",
        ":：=/",
        re.compile(
            r"(?<!\w)(?!(?:(?<=[ \n()])|(?<![\s\S]))embedding:)(?i:embeddings?)[:：]"
            rf"{_NAME}|{_ALONE}"
        ),
        {"comfyui"},
        "hardly meant as words: it refers to no embedding",
        "Write embedding:\\g<name>\\g<alone> behind a space, a bracket or a line end.",
    ),
    Notation(
        "embedding",
        ":：=/",
        re.compile(rf"(?<![^\s(,，;])(?i:embeddings?)[:：]{_NAME}|{_ALONE}"),
        WITH_NOVELAI - {"comfyui"},
        "a textual inversion in dialect 'comfyui', but not here",
        "Write its bare name, \\g<name>\\g<alone>, once its file is loaded.",
    ),
    Notation(
        "weight",
        ":：",
        re.compile(rf"{_MEASURES}{_WORD} ?[:：]{_SMALL}{_END}"),
        WITH_NOVELAI,
        "no weight without brackets",
        "Put it in brackets: (cat:1.4), or write it as the dialect has it.",
        unless=re.compile(r"\bAND\b"),
    ),
    Notation(
        "weight",
        ":：",
        re.compile(r"(?<!\d)[:：]\s{0,3}[+-]?\d{1,3}[,，]\d{1,3}\s{0,3}[)）\]】］]"),
        WITH_NOVELAI,
        "no weight, because of its comma",
        "Write a decimal point: (cat:1.2), or as the dialect has it.",
    ),
    Notation(
        "weight",
        ":：",
        re.compile(
            r"(?<!\d)[:：]\s{0,3}(?:[xX×*]\s?\d{1,3}(?:\.\d{1,3})?|\d{1,3}(?:\.\d{1,3})?[xX×%;])[)）]"
        ),
        WITH_NOVELAI,
        "no weight, because it is no plain number",
        "Write (cat:1.3), or as the dialect has it.",
    ),
    Notation(
        "weight",
        ")",
        re.compile(r"(?<!\\)\)\d,\d{1,2}(?=[\s,;.)]|\Z)"),
        {"compel"},
        "no weight, because of its comma",
        "Write a decimal point: (cat)1.2.",
    ),
    Notation(
        "weight",
        ".",
        re.compile(rf"{_MEASURES}{_WORD}(?:[01]|[;；=|@*,，][01]?)\.\d{{1,2}}[)）]"),
        WITH_NOVELAI,
        "no weight without a colon",
        "Write (cat:1.3), or as the dialect has it.",
    ),
)
