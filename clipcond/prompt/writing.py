r"""Write parsed prompts: how each syntax puts a text, its weight, and a break.

A writer refuses what its syntax cannot express at all, and shows the place. `rendering` finds what
goes wrong otherwise, by reading the result back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypeAlias

from clipcond.errors import PromptError
from clipcond.prompt.segments import Break, Lora, ParsedPrompt, Part, Segment, split_at_breaks

Writer: TypeAlias = Callable[[ParsedPrompt], str]

_BRACKETS = str.maketrans({c: f"\\{c}" for c in "\\()[]"})
_ROUND = str.maketrans({c: f"\\{c}" for c in "()"})
_QUOTED = str.maketrans({c: f"\\{c}" for c in '()"'})
_NETWORK = re.compile(r"(<(?!(?i:lora|lyco|hypernet):)\w+):")
# What `::` would make a weight of, or end too early.
_ENDS_NUMBER = re.compile(r"(?<![\w.])(?:\d+\.?\d*|\.\d+)\Z|:\Z")
_NEAR = 40  # characters
# Signs that compel reads as a weight of the word before them; a single one may be inside a word.
_SIGNS = re.compile(r"(?<=[^\s+\-\\])([+\-]{2,}|[+\-](?=[\s,.;()\"]|$))")


def effective_parts(parsed: ParsedPrompt) -> Sequence[Part]:
    """Leave out a break after all text, which starts a chunk in compel alone."""
    last = _last_break(parsed)
    return parsed.parts if last is None or parsed.syntax == "compel" else parsed.parts[:last]


def _last_break(parsed: ParsedPrompt) -> int | None:
    """Find the index of the last break; None if there is none, or text after it."""
    for index, part in reversed(list(enumerate(parsed.parts))):
        if isinstance(part, Break):
            return index
        if part.text.strip():
            break
    return None


def mode_and_weights(parsed: ParsedPrompt) -> tuple[str, tuple[float, ...]] | None:
    """Look up how a mixture is mixed: mode and weights; None = one after the other."""
    mixture = parsed.mixture
    if mixture is None or (mixture.mode == "join" and set(mixture.weights) == {1.0}):
        return None
    return mixture.mode, mixture.weights


def lora_weights(parsed: ParsedPrompt) -> list[tuple[str, float]]:
    """List the LoRAs that the prompt asks for, by name and weight."""
    return [(lora.name, lora.weight) for lora in parsed.extras if isinstance(lora, Lora)]


def write_a1111(parsed: ParsedPrompt) -> str:
    r"""Write (text:weight) and BREAK; only the text where the weight is 1.

    Of other syntaxes `<red:blue>` is text, and `<red\:blue>` here: A1111 takes `<word:...>` out.

    Raises:
        PromptError: the prompt is a mixture, or asks for more than text.
    """
    _refuse_mixture(parsed)
    needs_empty_chunk = parsed.syntax == "compel" and _last_break(parsed) is not None
    escape = _escape_a1111 if parsed.syntax == "a1111" else _escape_networks
    return _write_parts(parsed, escape) + " BREAK" * needs_empty_chunk


def _escape_networks(text: str) -> str:
    """Escape as for A1111, and what it would take for a network, but for those that are one."""
    return _NETWORK.sub(r"\1\\:", _escape_a1111(text))


def _escape_a1111(text: str) -> str:
    r"""Escape brackets, and the words that A1111 acts on: a lone backslash is no character."""
    if text == "BREAK":
        return "BREA\\K "  # at -1 even the escaped word alone would be a break
    text = text.translate(_BRACKETS)
    return re.sub(r"\b(BREA|AN)(K|D)\b", r"\1\\\2", text)


def write_without_breaks(
    parsed: ParsedPrompt,
    escape: Callable[[str], str] = _escape_a1111,
    weighted: str = "({text}:{weight})",
) -> str:
    """Write (text:weight); only the text where the weight is 1.

    Args:
        escape: makes a text what the syntax reads as that text.
        weighted: how the syntax writes a text and its weight.
    Raises:
        PromptError: there is a break, or the prompt is a mixture or asks for more than text.
    """
    _refuse_mixture(parsed)
    for part in effective_parts(parsed):
        if isinstance(part, Break):
            message = "only dialects 'a1111' and 'compel' can start a new chunk at a place"
            raise PromptError(message, parsed.source, part.start, "Leave it out.")
    return _write_parts(replace(parsed, parts=parsed.segments), escape, weighted)


def write_plain(parsed: ParsedPrompt) -> str:
    """Write the text alone.

    Raises:
        PromptError: there is a weight other than 1, or a break, or more than text.
    """
    text = write_without_breaks(parsed, str)
    for segment in _segments_with_text(parsed):
        if segment.weight != 1.0:
            message = f"a plain prompt has no weight such as {segment.weight:g}"
            raise PromptError(message, parsed.source, segment.start)
    return text


def write_compel(parsed: ParsedPrompt) -> str:
    """Write (text)weight, only the text where the weight is 1; blends; conjunctions for breaks.

    Raises:
        PromptError: there is a weight below 0, or a swap.
    """
    _refuse_extras(parsed, but=Lora)
    loras = [f"withLora({name}, {_number(weight)})" for name, weight in lora_weights(parsed)]
    mixture = parsed.mixture
    prompts = _between_breaks(parsed) if mixture is None else mixture.prompts
    if mixture is None and len(prompts) == 1:
        return " ".join([*loras, *_compel_phrases(parsed)])
    members = ", ".join(f'"{" ".join(_compel_phrases(prompt))}"' for prompt in prompts)
    method, entries = "and", []
    if mixture is not None:
        method = "and" if mixture.mode == "join" else "blend"
        entries = [_number(weight) for weight in mixture.weights]
        entries += ["no_normalize"] * (mixture.mode == "sum")
    return " ".join([*loras, f"({members}).{method}({', '.join(entries)})"])


def _between_breaks(parsed: ParsedPrompt) -> Sequence[ParsedPrompt]:
    runs = split_at_breaks(effective_parts(parsed))
    return [replace(parsed, parts=tuple(run)) for run in runs]


def _compel_phrases(parsed: ParsedPrompt) -> list[str]:
    """Write each segment in compel's syntax."""
    written = []
    for segment in _segments_with_text(parsed):
        if segment.weight < 0:
            message = f"compel has no weight below 0, such as {segment.weight:g}"
            raise PromptError(message, parsed.source, segment.start, "Leave this out.")
        text = _SIGNS.sub(r" \1", " ".join(segment.text.split())).translate(_QUOTED)
        is_plain = segment.weight == 1.0
        written.append(text if is_plain else f"({text}){_number(abs(segment.weight))}")
    return written


def _write_parts(
    parsed: ParsedPrompt,
    escape: Callable[[str], str],
    weighted: str = "({text}:{weight})",
) -> str:
    """Write text, (text:weight) and BREAK, with a space where two of them would merge."""
    pieces: list[str] = []
    last: Segment | None = None
    for part in parsed.parts:
        if isinstance(part, Break):
            pieces.append(" BREAK ")
            last = None
        elif part.text:
            if last is not None and not (last.text[-1].isspace() or part.text[0].isspace()):
                between = parsed.source[last.stop : part.start]
                # without a space `(a)(b)` would become one word
                if last.weight == part.weight or any(map(str.isspace, between)):
                    pieces.append(" ")
            text = escape(part.text)
            if part.weight != 1.0:
                if weighted.endswith("::") and _ENDS_NUMBER.search(text[-_NEAR:]):
                    text += " "  # `2023::` would be a weight of its own
                # a backslash would escape the bracket, and a word be part of a number
                last_sign = pieces[-1][-1:] if pieces else ""
                if last_sign == "\\" or (not weighted.startswith("(") and last_sign.strip()):
                    pieces.append(" ")
                text = weighted.format(text=text, weight=_number(part.weight))
            pieces.append(text)
            last = part
    return "".join(pieces).strip()


def _refuse_mixture(parsed: ParsedPrompt) -> None:
    _refuse_extras(parsed)
    if mode_and_weights(parsed) is not None:
        message = "only dialect 'compel' can mix prompts by weights"
        remedy = "Convert the prompts one by one."
        raise PromptError(message, parsed.source, 0, remedy)


def _refuse_extras(parsed: ParsedPrompt, but: type | None = None) -> None:
    for extra in parsed.extras:
        if but is None or not isinstance(extra, but):
            kind = "a LoRA" if isinstance(extra, Lora) else ".swap()"
            message, remedy = f"{kind} cannot be converted", "Leave it out."
            raise PromptError(message, parsed.source, extra.start, remedy)


def write_novelai(parsed: ParsedPrompt) -> str:
    """Write weight::text::; only the text where the weight is 1. There are no escapes.

    Raises:
        PromptError: there is a break, or the prompt is a mixture or asks for more than text.
    """
    return write_without_breaks(parsed, str, "{weight}::{text}::")


def _segments_with_text(parsed: ParsedPrompt) -> list[Segment]:
    """Leave out segments that are only white space."""
    return [segment for segment in parsed.segments if segment.text.strip()]


def _number(weight: float) -> str:
    """Write a weight with all its digits and without an exponent."""
    return f"{Decimal(repr(weight)):f}".removesuffix(".0")


WRITERS: dict[str, Writer] = {
    "a1111": write_a1111,
    # only round brackets are syntax there
    "comfyui": lambda parsed: write_without_breaks(parsed, lambda text: text.translate(_ROUND)),
    "compel": write_compel,
    "diffusers": write_plain,
    "lpw": write_without_breaks,
    "lpw_xl": write_without_breaks,
    "novelai": write_novelai,
    "plain": write_plain,
    "sd_embed": lambda parsed: write_without_breaks(parsed) or " ",  # "" is read as "empty"
}
