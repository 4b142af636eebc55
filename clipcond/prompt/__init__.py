"""Prompts to parts: the text side of clipcond, standard library only.

parse(text, syntax)     what is said, and how strongly           a (red:1.3) cat
schedule(text, steps)   which text at which step                 a [cat:dog:0.5]
compose(text)           several conditions, each with a weight   a cat AND a dog :0.5
convert(text, a, b)     the same words and weights in b          a (red)1.3 cat
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from itertools import zip_longest
from typing import TypeAlias

from clipcond.errors import PromptError, UnknownNameError, excerpt
from clipcond.prompt.composition import compose, first_and
from clipcond.prompt.rendering import WRITERS, loras, mixing, words
from clipcond.prompt.schedule import changes, schedule
from clipcond.prompt.segments import MOST_ISSUES, Break, Issue, ParsedPrompt, Part, Segment
from clipcond.prompt.syntaxes import a1111, comfyui, compel, lpw, plain, sd_embed

__all__ = [
    "MOST_ISSUES",
    "SYNTAXES",
    "Break",
    "Issue",
    "ParsedPrompt",
    "Part",
    "Segment",
    "compose",
    "convert",
    "parse",
    "reads_fullwidth",
    "render",
    "schedule",
    "settle",
]

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
        fullwidth: whether `（猫：1.3）` is read as `(猫:1.3)`, and so on for all that stands in
            `prompt/fullwidth.py`; text stays as it is typed.
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
    """Whether a syntax can be asked to read full-width punctuation: it has such a keyword."""
    read = SYNTAXES[syntax] if isinstance(syntax, str) else syntax
    return "fullwidth" in signature(read).parameters


def render(parsed: ParsedPrompt, syntax: str | None = None) -> str:
    """Write a prompt that a syntax reads as the same words at the same weights.

    White space may differ, and neighbours of equal weight may be joined; escapes are set where the
    syntax needs them. What was written is read back, so the result is either right or an error. In
    its own syntax a prompt can always be written, if need be as it stood in the source.

    Args:
        parsed: what `parse` gives.
        syntax: the one it came from by default.
    Raises:
        UnknownNameError: there is no syntax of that name.
        PromptError: the syntax cannot say it; shows the place in the prompt it came from.
    """
    name = parsed.syntax if syntax is None else syntax
    if name not in WRITERS:
        raise UnknownNameError("syntax", name, WRITERS)
    try:
        return _written(parsed, name)
    except PromptError:
        if name != parsed.syntax or not _is_all_of_its_source(parsed):
            raise
        return parsed.source


def _is_all_of_its_source(parsed: ParsedPrompt) -> bool:
    """Whether it is what its source says, and neither a part of that nor changed since."""
    again = parse(parsed.source, parsed.syntax)
    return replace(again, issues=parsed.issues) == parsed


def _written(parsed: ParsedPrompt, name: str) -> str:
    """What the writer of a syntax makes of a prompt, after reading it back.

    Raises:
        PromptError: the syntax cannot say it; shows the place in the prompt it came from.
    """
    text = WRITERS[name](parsed)
    try:
        written = parse(text, name)
    except PromptError:  # it shows a place in the text, which nobody has seen
        written = ParsedPrompt(text, ())
    unlike = (mixing(written), loras(written)) != (mixing(parsed), loras(parsed))
    for ours, theirs in zip_longest(words(parsed), words(written)):
        if unlike or ours is None or theirs is None or ours[:2] != theirs[:2]:
            position = len(parsed.source) if ours is None else ours[2]
            message = f"syntax {name!r} has no way to write this"
            remedy = f"It would read {excerpt(text)!r} otherwise."
            raise PromptError(message, parsed.source, position, remedy)
    return text


def convert(text: str, source: str | Syntax, target: str) -> str:
    """Write a prompt of one syntax in another: the same words at the same weights.

    Raises:
        UnknownNameError: there is no syntax of that name.
        PromptSyntaxError: `source` cannot read the prompt.
        PromptError: `target` cannot say it; shows where.
    """
    parsed = parse(text, source)
    if parsed.syntax == "a1111":
        _refuse_conditions(text)
    return render(parsed, target)


def _refuse_conditions(text: str) -> None:
    """Refuse what makes several conditions of an A1111 prompt: no syntax says that in one text."""
    at = first_and(text)
    if at is not None:
        remedy = "Convert the parts of compose(prompt) one by one."
        raise PromptError("AND cannot be converted", text, at, remedy)
    for place in changes(text):
        shown = excerpt(text[place.start : place.stop], 40)
        remedy = "Convert the texts of schedule(prompt, steps) one by one."
        raise PromptError(f"{shown!r} cannot be converted", text, place.start, remedy)


def settle(
    text: str, steps: int = 20, *, negative: bool = False, fullwidth: bool = False
) -> tuple[str, tuple[Issue, ...]]:
    """Reduce an A1111 prompt to the one text that a plain encoder can encode, and say what is lost.

    The text is that of the last step, of the part before the first AND. A prompt without editing,
    alternation and AND comes back as it is: only behind an AND is a closing `: number` a weight,
    so `photo 16:9` keeps its `:9`, although `compose` would read a guidance of 9.

    Args:
        text: the prompt.
        steps: how many steps the sampler takes; decides where an alternation ends, and which edits
            come too late to happen.
        negative: AND is a word like any other, as in A1111's negative prompts.
        fullwidth: whether full-width punctuation is syntax too.
    Returns:
        the text, and an issue for everything that was reduced, positions in the prompt.
    """
    issues = []
    settled, at = text, None if negative else first_and(text, fullwidth=fullwidth)
    if at is not None:
        parts = compose(text, fullwidth=fullwidth)
        settled = parts[0][0]
        message = f"AND makes {len(parts)} conditions; only the first is encoded"
        issues.append(Issue(message, at, "Encode the parts of compose(prompt) one by one."))
    places = changes(settled, fullwidth=fullwidth)
    remedy = "Encode the texts of schedule(prompt, steps) one by one."
    reached = 0
    for place in places:
        if place.start >= reached and len(issues) < MOST_ISSUES:
            shown = excerpt(text[place.start : place.stop], 40)
            message = f"{shown!r} changes while denoising; only its last text is encoded"
            issues.append(Issue(message, place.start, remedy))
            reached = place.stop
    if places:
        settled = schedule(settled, steps, fullwidth=fullwidth)[-1][1]
    return settled, tuple(sorted(issues, key=lambda issue: issue.position))
