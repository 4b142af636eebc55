"""Declare the arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    *("AsJson", "ClipSkip", "Dialect", "Fullwidth", "Inversion", "Prompt", "Tower"),
    "check_text",
]


def check_text(value: str) -> str:
    """Refuse text that has no UTF-8, such as a lone surrogate from broken terminal input."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise typer.BadParameter(f"not valid UTF-8 at character {error.start}") from None
    return value


Prompt = Annotated[str, typer.Argument(help="What to show.", callback=check_text)]
Dialect = Annotated[str, typer.Option(metavar="D", help="How the prompt is read and weighted.")]
Tower = Annotated[
    str | None, typer.Option(metavar="T", help="Another text tower than the model's own.")
]
Inversion = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="A textual inversion, written in the prompt by its file's name. More than once.",
    ),
]
ClipSkip = Annotated[
    int, typer.Option(min=1, help="1 = last layer of the text tower, 2 = the one before.")
]
Fullwidth = Annotated[
    bool | None,
    typer.Option(
        "--fullwidth/--no-fullwidth",
        help="Read （猫：1.3） as (猫:1.3).",
        show_default="with a Chinese tower",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
