r"""Parts back to prompts: how each syntax writes a text, its weight, and a break.

A writer turns parts into a prompt that its syntax reads as the same words at the same weights. What
it cannot write at all it refuses, with the place; what only reading it back can tell, `render` in
prompt/__init__ finds out so. Words are compared as tokenizers cut them: white space between words
is free, and neighbours of equal weight may be joined.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypeAlias

from clipcond.errors import PromptError
from clipcond.prompt.segments import Break, Lora, ParsedPrompt, Part, Segment

Writer: TypeAlias = Callable[[ParsedPrompt], str]
Word: TypeAlias = tuple[str, float, int]  # text, weight, where its segment starts

# As CLIP's tokenizer cuts them: letters, one digit, or other characters.
_WORD = re.compile(
    r"<\|(?:start|end)oftext\|>"
    r"|'(?:s|t|re|ve|m|ll|d)|[^\W\d_]+|\d|(?:[^\s\w]|_)+",
    re.IGNORECASE,
)
_BRACKETS = str.maketrans({c: f"\\{c}" for c in "\\()[]"})
_ROUND = str.maketrans({c: f"\\{c}" for c in "()"})
_QUOTED = str.maketrans({c: f"\\{c}" for c in '()"'})
# Signs that compel reads as a weight of what they touch; one alone may stand inside a word.
_SIGNS = re.compile(r"(?<=[^\s+\-\\])([+\-]{2,}|[+\-](?=[\s,.;()\"]|$))")


def words(parsed: ParsedPrompt) -> list[Word]:
    """What a tokenizer makes of a prompt; a break is the word "" at weight 1."""
    found: list[Word] = []
    for part in _acting(parsed):
        if isinstance(part, Break):
            found.append(("", 1.0, part.start))
        else:
            found += [(word, part.weight, part.start) for word in _WORD.findall(part.text)]
    return found


def _acting(parsed: ParsedPrompt) -> Sequence[Part]:
    """The parts without a break behind all text, which starts a chunk in compel alone."""
    last = _last_break(parsed)
    if last is None or parsed.syntax == "compel":
        return parsed.parts
    return parsed.parts[:last]


def _last_break(parsed: ParsedPrompt) -> int | None:
    """The index of the last break, if no text stands behind it."""
    for index in range(len(parsed.parts) - 1, -1, -1):
        part = parsed.parts[index]
        if isinstance(part, Break):
            return index
        if part.text.strip():
            return None
    return None


def mixing(parsed: ParsedPrompt) -> tuple[str, tuple[float, ...]] | None:
    """How the prompt's parts between breaks are mixed; None = one after the other, unweighted."""
    mixture = parsed.mixture
    if mixture is None or (mixture.mode == "join" and set(mixture.weights) == {1.0}):
        return None
    return mixture.mode, mixture.weights


def loras(parsed: ParsedPrompt) -> list[tuple[str, float]]:
    """The networks that the prompt asks for, name and weight."""
    return [(lora.name, lora.weight) for lora in parsed.extras if isinstance(lora, Lora)]


def write_a1111(parsed: ParsedPrompt) -> str:
    """(text:weight), BREAK; a plain text where the weight is 1.

    Raises:
        PromptError: the prompt is a mixture, or asks for more than text.
    """
    _refuse_mixture(parsed)
    closes_empty = parsed.syntax == "compel" and _last_break(parsed) is not None
    return _bracketed(parsed, _no_words) + " BREAK" * closes_empty


def write_without_breaks(parsed: ParsedPrompt) -> str:
    """As A1111, for the syntaxes that have its brackets, but start no chunk at a BREAK.

    Raises:
        PromptError: there is a break.
    """
    _refuse_mixture(parsed)
    parsed = _without_breaks(parsed)
    return _bracketed(parsed, _no_words)


def write_sd_embed(parsed: ParsedPrompt) -> str:
    """As A1111; a prompt of no words is a space, because the empty prompt is the word "empty".

    Raises:
        PromptError: there is a break.
    """
    return write_without_breaks(parsed) or " "


def write_comfyui(parsed: ParsedPrompt) -> str:
    """(text:weight); a plain text where the weight is 1.

    Raises:
        PromptError: there is a break.
    """
    _refuse_mixture(parsed)
    parsed = _without_breaks(parsed)
    return _bracketed(parsed, lambda text: text.translate(_ROUND))


def write_compel(parsed: ParsedPrompt) -> str:
    """(text)weight; a plain text where the weight is 1; blends, and conjunctions for breaks.

    Raises:
        PromptError: there is a weight below 0, or a swap.
    """
    _refuse_extras(parsed, but=Lora)
    networks = [f"withLora({name}, {_number(weight)})" for name, weight in loras(parsed)]
    mixture = parsed.mixture
    prompts = _between_breaks(parsed) if mixture is None else mixture.prompts
    if mixture is None and len(prompts) == 1:
        return " ".join([*networks, *_phrases(parsed)])
    members = ", ".join(f'"{" ".join(_phrases(prompt))}"' for prompt in prompts)
    method = "and" if mixture is None or mixture.mode == "join" else "blend"
    entries = [] if mixture is None else [_number(weight) for weight in mixture.weights]
    entries += ["no_normalize"] if mixture is not None and mixture.mode == "sum" else []
    return " ".join([*networks, f"({members}).{method}({', '.join(entries)})"])


def _between_breaks(parsed: ParsedPrompt) -> Sequence[ParsedPrompt]:
    """What stands before, between and behind the breaks."""
    runs: list[list[Part]] = [[]]
    for part in _acting(parsed):
        if isinstance(part, Break):
            runs.append([])
        else:
            runs[-1].append(part)
    return [replace(parsed, parts=tuple(run)) for run in runs]


def _phrases(parsed: ParsedPrompt) -> list[str]:
    """The segments in compel's syntax, one each."""
    written = []
    for segment in _spoken(parsed):
        if segment.weight < 0:
            message = f"compel has no weight below 0, such as {segment.weight:g}"
            raise PromptError(message, parsed.source, segment.start, "Leave this out.")
        text = _SIGNS.sub(r" \1", " ".join(segment.text.split())).translate(_QUOTED)
        is_plain = segment.weight == 1.0
        written.append(text if is_plain else f"({text}){_number(abs(segment.weight))}")
    return written


def write_plain(parsed: ParsedPrompt) -> str:
    """The text alone.

    Raises:
        PromptError: there is a weight other than 1, or a break.
    """
    _refuse_mixture(parsed)
    parsed = _without_breaks(parsed)
    for segment in _spoken(parsed):
        if segment.weight != 1.0:
            message = f"a plain prompt has no weight such as {segment.weight:g}"
            raise PromptError(message, parsed.source, segment.start)
    return _bracketed(parsed, lambda text: text)


def _bracketed(parsed: ParsedPrompt, escape: Callable[[str], str]) -> str:
    """Parts as text, (text:weight) and BREAK, each apart from a neighbour it would merge with."""
    pieces: list[str] = []
    last: Segment | None = None
    for part in parsed.parts:
        if isinstance(part, Break):
            pieces += [" BREAK "]
            last = None
        elif part.text:
            if last is not None and _needs_space(parsed.source, last, part):
                pieces.append(" ")
            text = escape(part.text)
            if part.weight == 1.0:
                pieces.append(text)
            else:
                # a backslash in front of a bracket would escape it
                pieces.append(" " if pieces and pieces[-1].endswith("\\") else "")
                pieces.append(f"({text}:{_number(part.weight)})")
            last = part
    return "".join(pieces).strip()


def _needs_space(source: str, left: Segment, right: Segment) -> bool:
    """Whether a space stood between them in the source, or keeps `(a)(b)` from being one word."""
    if left.text[-1].isspace() or right.text[0].isspace():
        return False
    between = source[left.stop : right.start]
    return left.weight == right.weight or any(character.isspace() for character in between)


def _no_words(text: str) -> str:
    r"""Escape brackets, and the words that A1111 acts on: a lone backslash is no character."""
    if text == "BREAK":
        return "BREA\\K "  # at -1 even the escaped word alone would be a break
    text = text.translate(_BRACKETS)
    return re.sub(r"\b(BREA|AN)(K|D)\b", r"\1\\\2", text)


def _without_breaks(parsed: ParsedPrompt) -> ParsedPrompt:
    """The prompt without a break that means nothing; refused if one starts a chunk."""
    for part in _acting(parsed):
        if isinstance(part, Break):
            message = "only dialects 'a1111' and 'compel' can start a new chunk at a place"
            remedy = "Leave it out."
            raise PromptError(message, parsed.source, part.start, remedy)
    return replace(parsed, parts=tuple(p for p in parsed.parts if isinstance(p, Segment)))


def _refuse_mixture(parsed: ParsedPrompt) -> None:
    _refuse_extras(parsed)
    if mixing(parsed) is not None:
        message = "only dialect 'compel' can mix prompts by weights"
        remedy = "Convert the prompts one by one."
        raise PromptError(message, parsed.source, 0, remedy)


def _refuse_extras(parsed: ParsedPrompt, but: type | None = None) -> None:
    for extra in parsed.extras:
        if but is None or not isinstance(extra, but):
            kind = "a LoRA" if isinstance(extra, Lora) else ".swap()"
            message, remedy = f"{kind} cannot be converted", "Leave it out."
            raise PromptError(message, parsed.source, extra.start, remedy)


def _spoken(parsed: ParsedPrompt) -> list[Segment]:
    """The segments that are not only white space."""
    return [segment for segment in parsed.segments if segment.text.strip()]


def _number(weight: float) -> str:
    """A weight with all its digits, and without an exponent."""
    return f"{Decimal(repr(weight)):f}".removesuffix(".0")


WRITERS: dict[str, Writer] = {
    "a1111": write_a1111,
    "comfyui": write_comfyui,
    "compel": write_compel,
    "diffusers": write_plain,
    "lpw": write_without_breaks,
    "lpw_xl": write_without_breaks,
    "plain": write_plain,
    "sd_embed": write_sd_embed,
}
