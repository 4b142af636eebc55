"""Prompts to parts: the text side of clipcond, standard library only.

parse(text, syntax)     what is said, and how strongly           a (red:1.3) cat
schedule(text, steps)   which text at which step                 a [cat:dog:0.5]
compose(text)           several conditions, each with a weight   a cat AND a dog :0.5
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from clipcond.errors import UnknownNameError
from clipcond.prompt import a1111, plain
from clipcond.prompt.composition import compose
from clipcond.prompt.segments import Break, Issue, ParsedPrompt, Part, Segment

__all__ = ["SYNTAXES", "Break", "Issue", "ParsedPrompt", "Part", "Segment", "compose", "parse"]

Syntax: TypeAlias = Callable[[str], ParsedPrompt]

SYNTAXES: dict[str, Syntax] = {
    "a1111": a1111.parse,
    "plain": plain.parse,
}


def parse(text: str, syntax: str | Syntax = "a1111") -> ParsedPrompt:
    """Turn a prompt into weighted segments and breaks.

    Args:
        text: the prompt; never edited, so that positions in the result are positions in it.
        syntax: one of SYNTAXES, or any function from a prompt to a ParsedPrompt.
    Raises:
        UnknownNameError: there is no syntax of that name.
        PromptSyntaxError: the syntax cannot read the prompt.
    """
    if callable(syntax):
        return syntax(text)
    if syntax not in SYNTAXES:
        raise UnknownNameError("syntax", syntax, SYNTAXES)
    return SYNTAXES[syntax](text)
