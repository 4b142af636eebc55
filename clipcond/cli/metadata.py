"""Define `clipcond parameters`: what pictures were made with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from clipcond.cli.console import console
from clipcond.cli.options import AsJson
from clipcond.errors import PictureError, printable
from clipcond.metadata import Parameters, read_parameters


def parameters(
    pictures: Annotated[
        list[Path],
        typer.Argument(
            metavar="PICTURE...",
            help="PNG, JPEG or WebP files, folders of them, A1111's .txt files, "
            "ComfyUI's .json files.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show what pictures were made with: prompt, seed, steps, sampler, ..."""
    n_bad = 0
    files = [file for each in pictures for file in _files_of(each)]
    for i, picture in enumerate(files):
        try:
            found = read_parameters(picture)
        except PictureError as error:
            if len(files) == 1:
                raise
            n_bad += 1
            console.say(str(error))
            continue
        if as_json:
            print(json.dumps({"path": str(picture), **_json(found)}))
            continue
        if len(files) > 1:
            print(f"{'' if i == 0 else chr(10)}== {printable(str(picture))}")
        print("\n".join(map(printable, found.as_written().split("\n"))))
    if n_bad:
        raise typer.Exit(1)


def _files_of(picture: Path) -> list[Path]:
    if not picture.is_dir():
        return [picture]
    from clipcond.reading import pictures_in

    return pictures_in(picture)


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
