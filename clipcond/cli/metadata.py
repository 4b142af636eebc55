"""Define `clipcond parameters`: what pictures were made with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from clipcond.cli.console import console
from clipcond.cli.options import AsJson
from clipcond.errors import PictureError
from clipcond.metadata import Parameters, read_parameters


def parameters(
    pictures: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURE...", help="PNG, JPEG or WebP files; A1111's .txt files."),
    ],
    as_json: AsJson = False,
) -> None:
    """Show what pictures were made with: prompt, seed, steps, sampler, ..."""
    n_bad = 0
    for i, picture in enumerate(pictures):
        try:
            found = read_parameters(picture)
        except PictureError as error:
            if len(pictures) == 1:
                raise
            n_bad += 1
            console.say(str(error))
            continue
        if as_json:
            print(json.dumps({"path": str(picture), **_json(found)}))
            continue
        if len(pictures) > 1:
            print(f"{'' if i == 0 else chr(10)}== {picture}")
        print(found.text())
    if n_bad:
        raise typer.Exit(1)


def _json(found: Parameters) -> dict[str, Any]:
    return {
        "prompt": found.prompt,
        "negative": found.negative,
        "steps": found.steps,
        "sampler": found.sampler,
        "schedule_type": found.schedule_type,
        "guidance": found.guidance,
        "seed": found.seed,
        "size": None if found.size is None else "x".join(map(str, found.size)),
        "clip_skip": found.clip_skip,
        "others": {**found.others},
    }
