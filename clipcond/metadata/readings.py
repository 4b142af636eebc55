"""Compare how a conditioner reads prompts with how a picture's file says that its were read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import UnknownNameError, excerpt, first_line
from clipcond.metadata.comfyui_encoders import UNKNOWN, WEIGHTS
from clipcond.weighting import find_rule
from clipcond.weighting.normalize import find_normalize

if TYPE_CHECKING:
    from clipcond.conditioning.conditioner import Conditioner
    from clipcond.metadata.parameters import Parameters

# What A1111 calls the ways that weights act, and our names of the same.
_EMPHASIS = {"original": "scale_mean", "no norm": "scale", "ignore": "none"}
LITERAL = "None"  # its emphasis without any: brackets are text
_LITERAL_CHOICE = 'dialect=replace(DIALECTS["a1111"], syntax="plain")'
_SWITCHES = {"true": True, "false": False}
SWITCHES = ("Full-width", "Extra networks")  # settings that are True or False


def emphasis_rule(others: Mapping[str, str]) -> str | None:
    """Name the weighting rule that A1111's setting means; None = it is not said or not known."""
    return _EMPHASIS.get(_emphasis(others))


def is_literal_text(others: Mapping[str, str]) -> bool:
    """Whether brackets are text by A1111's setting."""
    return _emphasis(others) == LITERAL.lower()


def _emphasis(others: Mapping[str, str]) -> str:
    return others.get("Emphasis", "").strip().lower()


def switch(value: str | None) -> bool | None:
    """Read True or False, in any case; None = it is neither."""
    return _SWITCHES.get((value or "").strip().lower())


def unknown_readings(others: Mapping[str, str]) -> Iterator[str]:
    """List settings of reading that have no value which is known."""
    unknown = [name for name in SWITCHES if switch(others.get(name)) is None]
    if emphasis_rule(others) is None and not is_literal_text(others):
        unknown.append("Emphasis")
    for name in unknown:
        if others.get(name, "").strip():
            yield f"{name}: {excerpt(' '.join(others[name].split()))}"


def literal(dialect: str) -> Dialect | str:
    """Make a dialect in which brackets are text: what A1111 calls emphasis None."""
    known = DIALECTS.get(dialect)
    return dialect if known is None else replace(known, syntax="plain")


def otherwise_read(parameters: Parameters, conditioner: Conditioner) -> Iterator[tuple[str, str]]:
    """List what a conditioner reads otherwise than the settings say.

    Returns:
        pairs: what is otherwise, and the choice that would be the same, or "".
    """
    others, dialect = parameters.others, conditioner.dialect
    written = others.get("Dialect", "a1111")
    if written not in DIALECTS:
        yield f"Dialect: {excerpt(written)}, which is none of clipcond's.", ""
        return
    if written != dialect.name:
        found = f"The prompt is in the dialect {written}; this pipeline reads {dialect.name}."
        if UNKNOWN not in others:
            yield found, "" if WEIGHTS in others else f'dialect="{written}"'
        return
    usual, is_literal = DIALECTS[written], is_literal_text(others)
    if is_literal != (dialect.syntax == "plain") and usual.syntax != "plain":
        choice = _LITERAL_CHOICE if is_literal else f'dialect="{written}"'
        yield f"Brackets are {'text' if is_literal else 'weights'} there, not here.", choice
    weighting = others.get("Weighting") or emphasis_rule(others) or usual.weighting
    normalize = others.get("Normalize") or usual.normalize
    rules: tuple[tuple[str, object, Callable[[Any], object], object], ...] = (
        ("weighting", weighting, find_rule, conditioner.rule),
        ("normalize", normalize, find_normalize, conditioner.normalize),
    )
    for name, wanted, find, current in rules:
        try:
            if find(wanted) is not current:
                yield f"{name} is another here.", f'{name}="{wanted}"'
        except UnknownNameError as error:
            yield first_line(error), ""
    wide, is_wide = switch(others.get("Full-width")), bool(conditioner.fullwidth)
    if wide not in {None, is_wide}:
        yield f"fullwidth={wide}; this pipeline has fullwidth={is_wide}.", f"fullwidth={wide}"
    is_kept = switch(others.get("Extra networks")) is False
    if is_kept != (conditioner.extra_networks is False) and dialect.takes_out:
        found = f"Comments and <lora:...> in a prompt are {'text' if is_kept else 'none'}."
        yield found, "extra_networks=False" if is_kept else "extra_networks=None"
