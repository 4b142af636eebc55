"""Define `clipcond inspect` and `clipcond convert`."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

import typer

from clipcond.cli.console import waiting
from clipcond.cli.options import AsJson, ClipSkip, Dialect, Fullwidth, Inversion, Prompt, Tower
from clipcond.errors import PromptWarning, warn

__all__ = ["convert", "inspect"]


def inspect(
    prompt: Prompt,
    dialect: Dialect = "a1111",
    tower: Tower = None,
    inversion: Inversion = None,
    clip_skip: ClipSkip = None,
    fullwidth: Fullwidth = None,
    as_json: AsJson = False,
) -> None:
    """Show how a prompt is read: segments, chunks, tokens and their weights."""
    with waiting("loading"):
        from clipcond.checkpoints import load_tower
        from clipcond.conditioning.conditioner import Conditioner

        conditioner = Conditioner(
            load_tower(tower or "embedded"),
            dialect=dialect,
            clip_skip=clip_skip,
            fullwidth=fullwidth,
        )
        for file in inversion or ():
            conditioner.load_inversion(file)
    report = conditioner.explain(prompt)
    print(json.dumps(_finite(report.json())) if as_json else report.table())


def convert(
    prompt: Prompt,
    target: Annotated[
        str, typer.Option("--to", metavar="S", help="The syntax to write: a1111, comfyui, compel.")
    ],
    source: Annotated[
        str, typer.Option("--from", metavar="S", help="The syntax that the prompt is in.")
    ] = "a1111",
) -> None:
    """Write a prompt in another tool's syntax: the same words at the same weights."""
    from clipcond.prompt import convert, parse
    from clipcond.prompt.lookalikes import with_lookalikes

    for issue in with_lookalikes(parse(prompt, source)).issues:
        warn(PromptWarning(issue.message, prompt, issue.position, issue.remedy))
    print(convert(prompt, source, target))


def _finite(value: Any) -> Any:
    """Replace NaN and infinite weights by None, because JSON has no numbers for them."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
