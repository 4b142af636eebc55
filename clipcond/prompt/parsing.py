"""Choose a syntax by name, and parse a prompt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import TypeAlias

from clipcond.arguments import check_arguments
from clipcond.errors import UnknownNameError
from clipcond.prompt.segments import ParsedPrompt
from clipcond.prompt.syntaxes import a1111, comfyui, compel, lpw, novelai, plain, sd_embed

Syntax: TypeAlias = Callable[..., ParsedPrompt]

SYNTAXES: dict[str, Syntax] = {
    "a1111": a1111.parse,
    "comfyui": comfyui.parse,
    "compel": compel.parse,
    "diffusers": plain.parse_diffusers,
    "lpw": lpw.parse,
    "lpw_xl": lpw.parse_xl,
    "novelai": novelai.parse,
    "plain": plain.parse,
    "sd_embed": sd_embed.parse,
}

# Names of dialects that have the syntax of another.
SAME_SYNTAX = {"comfyui_words": "comfyui"}


def parse(text: str, syntax: str | Syntax = "a1111", *, fullwidth: bool = False) -> ParsedPrompt:
    """Turn a prompt into weighted segments and breaks.

    Args:
        text: the prompt; never edited, so that positions in the result are positions in it.
        syntax: one of SYNTAXES, the name of any dialect, or a function from a prompt to a
            ParsedPrompt.
        fullwidth: whether `（猫：1.3）` is read as `(猫:1.3)`, and so on for all of
            `FULLWIDTH_SIGNS` in `prompt/scanner.py`; text stays as it is typed.
    Raises:
        UnknownNameError: there is no syntax of that name, or it reads no full-width punctuation.
        PromptSyntaxError: the syntax cannot read the prompt.
        PromptTypeError, ArgumentError: an argument is of a wrong type.
    """
    check_arguments(text=text)
    return find_syntax(syntax, fullwidth=fullwidth)(text)


def find_syntax(syntax: str | Syntax, *, fullwidth: bool = False) -> Callable[[str], ParsedPrompt]:
    """Find the function that reads prompts in a syntax.

    Args:
        syntax, fullwidth: as for `parse`.
    Raises:
        UnknownNameError: there is no syntax of that name, or it reads no full-width punctuation.
    """
    check_arguments(fullwidth=fullwidth)
    read = _reader(syntax)
    if fullwidth and not reads_fullwidth(read):
        known = [name for name in SYNTAXES if reads_fullwidth(name)]
        raise UnknownNameError("syntax with full-width punctuation", syntax, known)
    return partial(read, fullwidth=True) if fullwidth else read


def reads_fullwidth(syntax: str | Syntax) -> bool:
    """Whether a syntax can read full-width punctuation: it has the keyword `fullwidth`.

    Raises:
        UnknownNameError: there is no syntax of that name.
    """
    return "fullwidth" in signature(_reader(syntax)).parameters


def _reader(syntax: object) -> Syntax:
    if callable(syntax):
        return syntax
    name = SAME_SYNTAX.get(syntax, syntax) if isinstance(syntax, str) else None
    if name not in SYNTAXES:
        raise UnknownNameError("syntax", syntax, SYNTAXES)
    return SYNTAXES[name]
