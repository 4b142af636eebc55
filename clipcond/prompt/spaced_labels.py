"""Find labels of a negative prompt within a line: `a cat neg: dog`, `rainy street uc: lowres`."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.loose_weights import DRAWN
from clipcond.prompt.notations import CJK, not_after

CYRILLIC = r"(?:негатив(?:н\w{2})?|отрицательн\w{2})(?: пром[пт]т)?"
# Before a label within a line; a sentence may have one: "it is negative: no virus".
STATED = (
    "photo film space double false true rh blood test tests tested gram hiv covid is was are be"
    " an a the and or not non very strongly on as of in result results print prints charge charges"
    " pole poles terminal terminals side emulsion glass plate plates wire feedback mood tone"
    " thought energy emotion emotions image cyanotype calotype color colour showing shows score"
    " scores battery batteries cable lead cliché"
)
# In small letters a negative is a thing more often.
_NO_NOUN = not_after(
    f"{STATED} o b ab type format paper digital original camera polaroid kodak contact sheet"
    " silver old large medium portrait landscape at from to with by my your his their its this that"
    " feels seems becomes looks answer answered said reply vote voted number value sign axis scale"
)
# What nobody wants, behind a label of any case.
_UNWANTED = (
    r"(?i:low[ -]?res|low[ -]quality|bad\b|worst|blurr?(?:y|ed)?|ugly|deform|disfigur|watermark"
    r"|text\b|signature|extra\b|missing|mutat|mutilat|malformed|jpeg|nsfw|nud(?:e|ity)|cropped|errors?"
    r"|poor|duplicat|easyneg|badhand|out of|grainy|nois[ey]|artifacts?|logo\b|username|distort"
    r"|oversat|overex|monochrome|film grain)"
)
# One of the first tags behind it.
_THEN_UNWANTED = rf"(?=\s?(?:[^,:\n]{{1,40}},\s?){{0,4}}{_UNWANTED})"
_ABBREVIATED = r"(?:(?i:n[eé]gs?)|uc)"
_SHORT_LABEL = rf"(?:{_ABBREVIATED}|(?i:neg(?:ative|ativ|ativo|ativa|atif)|n[eé]gatif|{CYRILLIC}))"
_OF_PROMPT = r"(?i:(?:negs?|neg(?:ative|ativ|ativo|ativa|atif)|n[eé]g(?:atif)?|uc)[ _\-]?prompts?)"
_NO_UNIVERSITY = (
    r"(?!(?i:uc)\s?:\s?(?i:berkeley|davis|irvine|merced|riverside|san|santa|los|la|press)\b)"
)
_BEFORE_TEXT = r"\s?:(?=\s?(?:\d{0,2}[^\W\d]|[(\[\"']))"
_AT_SPACE = r"(?<=[^\s,;:])(?=\s{1,3}[nNнНоОuU])"
_THING = rf"(?!(?:red|blue|green|yellow|purple|pink|orange|black|white|gold|silver)\b)(?i:{DRAWN})"
# Behind a space a label is one if what is behind it is unwanted, if what is before it is drawn, or
# if little else is there; else it is a word: a cell phone battery neg: black cable.
SPACED = (
    rf"(?:{_AT_SPACE}(?i:{not_after(STATED)})\s{{1,3}}|(?<=[{CJK}])|(?<=[、,.;\n])\s{{0,3}})"
    rf"(?P<shown>(?:{_OF_PROMPT}{_BEFORE_TEXT}|(?i:{_SHORT_LABEL})\s?:{_THEN_UNWANTED}))"
)
SPACED_SHORT = (
    rf"(?:(?<=[{CJK}])|(?<=[、,.;\n])\s{{0,3}}|(?<=[{CJK}])\s{{1,3}}"
    rf"|(?<![a-z\-]){_THING}[.!?]?\s{{1,3}}|(?<=[)\]}}])\s{{1,3}})"
    rf"(?P<shown>{_NO_UNIVERSITY}{_SHORT_LABEL}{_BEFORE_TEXT})"
    rf"|\A\s?[^\W\d_]{{2,20}}(?i:{_NO_NOUN})\s(?P<shown_2>{_SHORT_LABEL}\s?:)(?=\s?[^\W\d_]{{2,20}}\s?\Z)"
)
# White positive: sun, black negative: moon
TWO_POLES = re.compile(r"(?<=\w\s)(?i:positive)\s?:")
