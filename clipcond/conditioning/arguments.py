"""What callers hand in, checked once and said clearly: prompts, negatives, clip skip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clipcond.errors import PromptError, PromptTypeError, TowerError

__all__ = ["as_many", "as_prompts", "check_clip_skip", "check_towers"]


def as_prompts(prompts: Any, what: str = "prompt") -> list[str]:
    """A string, or a list or tuple of strings, as a list.

    Raises:
        PromptTypeError: anything else; says what and where.
        PromptError: no prompts at all, or one with half a character in it.
    """
    items = [prompts] if isinstance(prompts, str) else prompts
    if not isinstance(items, list | tuple):
        raise PromptTypeError(
            f"a {what} is a string or a list of strings, not {_named(prompts)}", _remedy(prompts)
        )
    if not items:
        raise PromptError(f"the list of {what}s is empty", remedy='Use "" for an empty prompt.')
    for i, item in enumerate(items):
        if not isinstance(item, str):
            raise PromptTypeError(
                f"{what} {i} of the list is {_named(item)}, not a string", _remedy(item)
            )
        _check_unicode(item)
    return list(items)


def as_many(prompts: Any, n_prompts: int, what: str) -> list[str]:
    """One negative (or second prompt) for each of `n_prompts`; one for all is repeated.

    Raises:
        PromptError: neither one nor as many.
    """
    items = as_prompts(prompts, what)
    if len(items) == 1:
        return items * n_prompts
    if len(items) != n_prompts:
        raise PromptError(
            f"{len(items)} {what}s for {n_prompts} prompts",
            remedy="Give one for all, or one for each.",
        )
    return items


def check_clip_skip(clip_skip: Any, depth: int, name: str) -> None:
    """Refuse a clip_skip that names no layer.

    Raises:
        TowerError: not a whole number from 1 to `depth`.
    """
    is_number = isinstance(clip_skip, int) and not isinstance(clip_skip, bool)
    if is_number and 1 <= clip_skip <= depth:
        return
    diffusers_zero = is_number and clip_skip == 0
    raise TowerError(
        f"clip_skip={clip_skip!r} names no layer of {name!r}, which has {depth}",
        f"Use a whole number from 1 (last layer) to {depth} (first)."
        + (" What diffusers calls clip_skip=0 is 1 here." if diffusers_zero else ""),
    )


def check_towers(towers: Sequence[Any]) -> None:
    """Refuse what is no tower, and pairs that cannot be joined.

    Raises:
        TowerError: says what to give instead.
    """
    for tower in towers:
        if not hasattr(tower, "encode") or not hasattr(tower, "special"):
            raise TowerError(
                f"{_named(tower)} is no text tower",
                "Wrap a transformers model: OpenAIClipTower(model, tokenizer), or open one by "
                "name: load_tower(name).",
            )
    lengths = [tower.special.context_length for tower in towers]
    if len(set(lengths)) > 1:
        raise TowerError(
            f"towers with context lengths {lengths[0]} and {lengths[1]} cannot be joined token "
            f"by token",
            f"Give the longer one context_length={min(lengths)} when you make it.",
        )


def _check_unicode(prompt: str) -> None:
    try:
        prompt.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PromptError(
            f"half a character (a lone surrogate, {prompt[error.start]!a}) cannot be read",
            prompt,
            error.start,
            "Decode the text with the encoding it came in.",
        ) from error


def _named(value: Any) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _remedy(value: Any) -> str:
    if value is None:
        return 'Use "" for an empty prompt.'
    if isinstance(value, bytes | bytearray):
        return "Decode it first: prompt.decode('utf-8')."
    if isinstance(value, list | tuple):
        return "Prompts are not nested: give one flat list."
    return ""
