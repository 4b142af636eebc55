"""Check that the prompts of a call pair one to one."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

from clipcond.arguments import type_name
from clipcond.conditioning.conditioner import Conditioner
from clipcond.errors import ArgumentError, PairingError, counted

_STARTS = ("prompt", "negative_prompt")


def check_pairs(arguments: Mapping[str, object]) -> None:
    """Refuse lists of second, third or negative prompts that are not as many as the prompts.

    As in plain diffusers a string serves all prompts, and a list has one for each, if it has any.

    Args:
        arguments: of a method that encodes prompts, by name.
    Raises:
        PairingError: says how many were given, and how many prompts there are.
    """
    n = _count(arguments.get("prompt"), arguments.get("prompt_embeds"))
    for name, value in arguments.items():
        if not (name.startswith(_STARTS) and isinstance(value, list | tuple) and value):
            continue
        if n and len(value) != n:  # without prompts, that is what is wrong
            own = f"{name} is a list of {len(value)}"
            if name == "negative_prompt":
                own = counted(len(value), "negative prompt")
            message = f"{counted(n, 'prompt')}, but {own}."
            raise PairingError(message, "Give as many, or one string for all of them.")


def _count(prompt: object, embeds: object) -> int | None:
    if isinstance(prompt, list | tuple):
        return len(prompt)
    if isinstance(prompt, str):
        return 1
    return len(embeds) if isinstance(embeds, Tensor) else None


def check_conditioner(name: str, value: object, names: Collection[str]) -> None:
    """Refuse what is no Conditioner in the place of an attached pipeline's own.

    Args:
        names: the attributes that hold one; None in them has a new one made.
    Raises:
        ArgumentError: says how to change it.
    """
    if name in names and not isinstance(value, Conditioner | None):
        raise ArgumentError(
            f"{name} is a Conditioner, not {type_name(value)}: {value!r:.60}",
            "For other choices say attach(pipe, clip_skip=..., dialect=...).",
        )
