"""List options of Midjourney and of command lines, which follow the prompt: `a cat --ar 16:9`."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.notations import CJK, EXCEPT_PLAIN, Notation

_SAID = "(?:one|longer|matter|more|doubt|way|need|problem|wait|please|thanks|i|he|she|you|we|they)"
_FLAGS = (
    "ar|aspect|v|version|s|stylize|stylise|q|quality|chaos|c|iw|seed|sameseed|niji|style|sref"
    rf"|no(?![ \t]{{1,3}}{_SAID}\b)"
    "|cref|oref|sw|cw|ow|sv|weird|w|h|hd|tile|raw|fast|relax|turbo|stop|uplight|upbeta|upanime"
    "|test|testp|creative|video|repeat|r|p|profile|personalize|exp|draft|motion|loop|bs|public"
    "|stealth|vibe|beta"
)
_OPTIONS = (
    r"prompt|negative[_\-]prompt|steps|width|height|cfg[_\-]scale|sampler(?:[_\-](?:name|index))?"
    r"|batch[_\-]size|batch[_\-]count|n[_\-]iter|subseed(?:[_\-]strength)?|seed[_\-]resize[_\-]from"
    r"(?:[_\-][hw])?|restore[_\-]faces|tiling|outpath[_\-](?:samples|grids)|do[_\-]not[_\-]save"
    r"[_\-](?:samples|grid)|sd[_\-]model|styles|prompt[_\-]for[_\-]display|guidance(?:[_\-]scale)?"
    r"|negative|hr|hires|outdir|outpath|model|cfg|clip[_\-]skip|scheduler|denoising[_\-]strength|n[_\-]samples|ddim[_\-]steps|scale"
)
# Options follow a space, punctuation, a Chinese word, or a closing quote; behind another word what
# is one for sure.
_BEFORE = rf"(?:(?<![^\s{CJK},.;:!?、…~)\]}}>⟧])|(?<=\w[\"']))"
_NUMBERED = "ar|aspect|v|version|s|stylize|stylise|q|quality|chaos|c|iw|seed|niji|weird|w|sw|cw"
_JOINED_FLAG = (
    rf"(?<=\w)--(?:(?:{_NUMBERED}|h|stop)(?=[ \t]{{1,9}}[\d.])"
    r"|(?:hd|tile|raw|niji|turbo|relax)(?=\s{0,9}(?:[,;]|\Z|--)))"
)
_NOT_SPOKEN = "".join(rf"(?<!\b{word})" for word in "yes well but and wait stop please".split())
# Behind a dash that a word processor made of two hyphens; "he waits —no one comes" is a sentence.
_DASH_FLAGS = (
    rf"(?:{_NUMBERED}|sref|cref|steps|width|height|cfg[_\-]scale)[ \t]{{1,9}}(?=[\d.:]|https?:)"
    r"|(?:hd|tile|raw|niji)(?=\s{0,9}(?:[,;]|\Z|--|[—–]))|style[ \t]{1,3}raw"
    rf"|no[ \t]{{1,3}}(?!{_SAID}\b)[^—–.]{{1,60}}(?=\Z|\s[—–]|\s--)"
    r"|(?:negative[_\-])?prompt[ \t]{1,3}(?=[\"'])"
)
# A space behind its hyphens, one hyphen, or none.
_LOOSE_FLAG = (
    r"(?<=\s)(?:-{1,2}|[—–―])\s(?i:ar|aspect|v|version|niji|s|stylize|c|chaos|q|quality|seed|iw|weird)"
    r"\s[\d.]{1,12}(?::\d{1,2})?(?=[\s,;]|\.?\Z)"
    r"|(?<=\s)-(?:ar|v|niji|s|stylize|c|chaos|q|seed|iw|weird)\s[\d.]{1,12}(?::\d{1,2})?(?=\s{0,9}(?:[,;]|\.?\Z|--))"
    r"|(?<=[\s,])(?i:ar)\s\d{1,2}:\d{1,2}(?=\s{0,9}(?:[,;]|\.?\Z|-))"
)
_VALUE = r"(?:[ \t]*=?[\d.:]+)?"

COMMAND_OPTIONS = (
    Notation(
        "midjourney-flag",
        "-－",
        re.compile(
            rf"(?:{_BEFORE}|(?<=[^\W\d_]{{3}}){_NOT_SPOKEN})--(?i:no)(?:[ \t]{{1,3}}|=)"
            rf"(?!(?i:{_SAID})\b)(?P<words>[^\n\-—]{{1,200}}?)(?=\s{{0,9}}(?:--|[—\n]|\Z))"
        ),
        EXCEPT_PLAIN,
        "an option of Midjourney, but text here",
        "Leave it out, and give {words} as the negative prompt.",
    ),
    Notation(
        "midjourney-flag",
        ("-", "—", "–", "―", "－", "ar ", "AR "),
        re.compile(
            rf"(?:{_BEFORE}(?:(?:--(?i:{_FLAGS})(?:(?=\d)|(?![\w\-]))(?=[\s,.:=\d]|\Z)|-ar(?=\s\d))"
            rf"|[—–―]{{1,2}}(?:{_DASH_FLAGS}))|{_JOINED_FLAG}){_VALUE}|{_LOOSE_FLAG}"
        ),
        EXCEPT_PLAIN,
        "an option of Midjourney, but text here",
        "Leave it out, and choose size, seed and the rest where the picture is made.",
    ),
    Notation(
        "command-option",
        "-",
        re.compile(
            rf"(?:{_BEFORE}|(?<=\w)(?=--\w{{1,30}}[ \t]{{1,9}}[\d\"]))"
            rf"--(?:{_OPTIONS})(?![\w\-])(?=[\s=]|\Z)"
            r"(?:[ \t=]{1,3}(?:\"[^\"\n]{0,400}\"|[\d.x]+))?"
            r"|(?<!\S)-[nsSWHCAl] ?\w[\w.]{0,12}(?:\s{1,3}-[nsSWHCAlGIU] ?\w[\w.]{0,12}){1,9}(?!\S)"
        ),
        EXCEPT_PLAIN,
        "an option of a command line, as in A1111's files of prompts, but text here",
        "Leave it out, and give negative prompt, steps, size and the rest apart.",
    ),
)
