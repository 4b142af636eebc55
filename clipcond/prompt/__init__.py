"""Turn prompts into parts: the text side of clipcond, standard library only.

parse(text, syntax)     words and how strongly they count     a (red:1.3) cat
schedule(text, steps)   the text at each step                 a [cat:dog:0.5]
compose(text)           several conditions with weights       a cat AND a dog :0.5
convert(text, a, b)     the same words and weights in b       a (red)1.3 cat
Template(text)          what it can be expanded to            a {red|blue} __animal__
"""

from clipcond.prompt.composition import compose
from clipcond.prompt.conversion import convert
from clipcond.prompt.editing import schedule
from clipcond.prompt.extra_networks import ExtraNetwork
from clipcond.prompt.parsing import SYNTAXES, Syntax, find_syntax, parse, reads_fullwidth
from clipcond.prompt.reduction import reduce_to_one_text
from clipcond.prompt.rendering import render
from clipcond.prompt.segments import MOST_ISSUES, Break, Issue, ParsedPrompt, Part, Segment
from clipcond.prompt.styles import Style, read_styles
from clipcond.prompt.templates import Origin, Template, Variant
from clipcond.prompt.wildcards import Wildcards

__all__ = [
    "MOST_ISSUES",
    "SYNTAXES",
    "Break",
    "ExtraNetwork",
    "Issue",
    "Origin",
    "ParsedPrompt",
    "Part",
    "Segment",
    "Style",
    "Syntax",
    "Template",
    "Variant",
    "Wildcards",
    "compose",
    "convert",
    "find_syntax",
    "parse",
    "read_styles",
    "reads_fullwidth",
    "reduce_to_one_text",
    "render",
    "schedule",
]
