"""Declare the arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    *("AsJson", "ClipSkip", "Dialect", "ExtraNetworks", "Fullwidth", "Inversion", "Model"),
    *("Negative", "Prompt", "Tower"),
    "check_text",
]


def check_text(value: str) -> str:
    """Refuse text that has no UTF-8, such as a lone surrogate from broken terminal input."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise typer.BadParameter(f"not valid UTF-8 at character {error.start}") from None
    return value


def check_optional(value: str | None) -> str | None:
    """Do as `check_text`, if there is any."""
    return None if value is None else check_text(value)


Prompt = Annotated[str, typer.Argument(help="What to show.", callback=check_text)]
Dialect = Annotated[str, typer.Option(metavar="D", help="How the prompt is read and weighted.")]
Negative = Annotated[
    str | None, typer.Option("-n", "--negative", callback=check_optional, help="What to keep out.")
]
Model = Annotated[
    str | None,
    typer.Option(metavar="M", help="Folder, .safetensors file or Hub id.", show_default="embedded"),
]
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
ExtraNetworks = Annotated[
    bool | None,
    typer.Option(
        "--extra-networks/--no-extra-networks",
        help="Take # comments and <lora:name:0.8> out of the text.",
        show_default="with dialect a1111",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
