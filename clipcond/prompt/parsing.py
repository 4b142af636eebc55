"""Choose a syntax by name and parse a prompt; reduce a prompt that changes to one text."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import TypeAlias

from clipcond.errors import UnknownNameError, excerpt
from clipcond.prompt.composition import compose, find_and
from clipcond.prompt.editing import find_changes, schedule
from clipcond.prompt.segments import MOST_ISSUES, Issue, ParsedPrompt
from clipcond.prompt.syntaxes import a1111, comfyui, compel, lpw, plain, sd_embed

Syntax: TypeAlias = Callable[..., ParsedPrompt]

SYNTAXES: dict[str, Syntax] = {
    "a1111": a1111.parse,
    "comfyui": comfyui.parse,
    "compel": compel.parse,
    "diffusers": plain.parse_diffusers,
    "lpw": lpw.parse,
    "lpw_xl": lpw.parse_xl,
    "plain": plain.parse,
    "sd_embed": sd_embed.parse,
}


def parse(text: str, syntax: str | Syntax = "a1111", *, fullwidth: bool = False) -> ParsedPrompt:
    """Turn a prompt into weighted segments and breaks.

    Args:
        text: the prompt; never edited, so that positions in the result are positions in it.
        syntax: one of SYNTAXES, or any function from a prompt to a ParsedPrompt.
        fullwidth: whether `（猫：1.3）` is read as `(猫:1.3)`, and so on for all of
            `FULLWIDTH_SIGNS` in `prompt/scanner.py`; text stays as it is typed.
    Raises:
        UnknownNameError: there is no syntax of that name, or it reads no full-width punctuation.
        PromptSyntaxError: the syntax cannot read the prompt.
    """
    if not callable(syntax) and syntax not in SYNTAXES:
        raise UnknownNameError("syntax", syntax, SYNTAXES)
    if fullwidth and not reads_fullwidth(syntax):
        known = [name for name in SYNTAXES if reads_fullwidth(name)]
        raise UnknownNameError("syntax with full-width punctuation", syntax, known)
    read = syntax if callable(syntax) else SYNTAXES[syntax]
    return read(text, fullwidth=True) if fullwidth else read(text)


def reads_fullwidth(syntax: str | Syntax) -> bool:
    """Whether a syntax can read full-width punctuation: it has the keyword `fullwidth`."""
    read = SYNTAXES[syntax] if isinstance(syntax, str) else syntax
    return "fullwidth" in signature(read).parameters


def reduce_to_one_text(
    text: str, steps: int = 20, *, negative: bool = False, fullwidth: bool = False
) -> tuple[str, tuple[Issue, ...]]:
    """Reduce an A1111 prompt to the one text that a plain encoder can encode.

    The text is that of the last step, of the part before the first AND. A prompt without editing,
    alternation and AND comes back as it is: only if there is an AND, a closing `: number` is a
    weight, so `photo 16:9` keeps its `:9`, although `compose` would read a guidance of 9.

    Args:
        text: the prompt.
        steps: how many steps the sampler takes; decides where an alternation ends, and which edits
            come too late to happen.
        negative: AND is a word like any other, as in A1111's negative prompts.
        fullwidth: whether full-width punctuation is syntax too.
    Returns:
        the text, and an issue for everything that was left out, positions in the prompt.
    """
    # Most prompts have neither, and need no second walk.
    may_split = not negative and "AND" in text
    if not may_split and not any(bracket in text for bracket in "[【［"):
        return text, ()
    issues = []
    reduced, at = text, find_and(text, fullwidth=fullwidth) if may_split else None
    if at is not None:
        parts = compose(text, fullwidth=fullwidth)
        reduced = parts[0][0]
        message = f"AND makes {len(parts)} conditions; only the first is encoded"
        issues.append(Issue(message, at, "Encode the parts of compose(prompt) one by one."))
    changes = find_changes(reduced, fullwidth=fullwidth)
    remedy = "Encode the texts of schedule(prompt, steps) one by one."
    reached = 0
    for change in changes:
        if change.start >= reached and len(issues) < MOST_ISSUES:
            shown = excerpt(text[change.start : change.stop], 40)
            message = f"{shown!r} changes while denoising; only its last text is encoded"
            issues.append(Issue(message, change.start, remedy))
            reached = change.stop
    if changes:
        reduced = schedule(reduced, steps, fullwidth=fullwidth)[-1][1]
    return reduced, tuple(sorted(issues, key=lambda issue: issue.position))
