"""Declare the arguments and options that several commands share, and check their values."""

from __future__ import annotations

import math
import re
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

MAX_SEED = 2**64 - 1  # what torch's generators take
MAX_GUIDANCE = 100
MAX_COUNT = 10_000


def check_text(value: str | None) -> str | None:
    """Refuse text that has no UTF-8, such as a lone surrogate from broken terminal input."""
    try:
        (value or "").encode()
    except UnicodeEncodeError as error:
        raise typer.BadParameter(f"not valid UTF-8 at character {error.start}") from None
    return value


def check_texts(values: list[str] | None) -> list[str] | None:
    """Refuse texts that have no UTF-8."""
    for value in values or ():
        check_text(value)
    return values


def check_name(value: str | None) -> str | None:
    """Refuse an empty name, which would mean the folder at hand."""
    if value is not None and not value.strip():
        raise typer.BadParameter("a name is missing")
    return check_text(value)


def check_guidance(value: float | None) -> float | None:
    """Refuse a guidance that gives no picture, NaN included."""
    if value is not None and not 0 <= value <= MAX_GUIDANCE:
        raise typer.BadParameter(f"a number from 0 to {MAX_GUIDANCE} is needed, not {value}")
    return value


def check_finite(value: float | None) -> float | None:
    """Refuse NaN and infinity."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"a finite number is needed, not {value}")
    return value


def check_share(value: float | None) -> float | None:
    """Refuse a share that leaves nothing to regions, NaN included."""
    if value is not None and not 0 <= value < 1:
        raise typer.BadParameter(f"a number from 0 to below 1 is needed, not {value}")
    return value


def check_size(value: str | None) -> str | None:
    """Refuse what is not two numbers of pixels; write the sign between them as `x`."""
    if value is None:
        return None
    if not (sides := re.fullmatch(r"([1-9]\d{0,4})[xX×*]([1-9]\d{0,4})", value.strip())):
        raise typer.BadParameter(f"{value!r} is no WIDTHxHEIGHT, such as 512x768")
    return f"{sides[1]}x{sides[2]}"


def check_picture(value: Path) -> Path:
    """Refuse a file name that names another format, or nothing."""
    if not value.name:
        raise typer.BadParameter("a file name is missing, such as out.png")
    if value.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"{str(value)!r}: pictures are written as .png, .jpg or .webp")
    return value


PICTURES = (".png", ".jpg", ".jpeg", ".webp")
SYNTAX_NAMES = "a1111, comfyui, compel, diffusers, lpw, lpw_xl, novelai, plain, sd_embed"
MODEL, READING, VARIANTS = "Model", "How the prompt is read", "Variants"


def declare_option(
    panel: str | None, metavar: str | None, text: str, default: bool | str = True, **choices: Any
) -> object:
    """Declare an option.

    Args:
        panel: under which it is listed; None = "Options".
        metavar: what its value is called; None = by its type.
        text: its help.
        default: what is shown as its default; True = the value itself.
        choices: as of `typer.Option`.
    """
    return typer.Option(
        metavar=metavar, help=text, show_default=default, rich_help_panel=panel, **choices
    )


def picture_option(text: str) -> object:
    """Declare the option for the picture to write, with this help."""
    return typer.Option("-o", "--output", callback=check_picture, help=text)


plain_option = partial(declare_option, None)
model_option = partial(declare_option, MODEL)
reading_option = partial(declare_option, READING)
variant_option = partial(declare_option, VARIANTS)

Prompt = Annotated[str, typer.Argument(help="The prompt, in quotes.", callback=check_text)]
Dialect = Annotated[str, reading_option("D", "The tool to read and weight as.")]
Steps = Annotated[int | None, plain_option("N", "Denoising steps.", "the model's, or 20", min=1)]
Negative = Annotated[
    str | None, typer.Option("-n", "--negative", callback=check_text, help="What to keep out.")
]
Model = Annotated[
    str | None,
    model_option("M", "Folder, .safetensors file or Hub id.", "embedded", callback=check_name),
]
Tower = Annotated[
    str | None,
    model_option(
        "T",
        "Another text tower than the model's own, such as embedded-zh.",
        callback=check_name,
    ),
]
Inversion = Annotated[
    list[Path] | None,
    model_option(
        "FILE", "A textual inversion, written in the prompt by its file's name. More than once."
    ),
]
ClipSkip = Annotated[
    int | None,
    reading_option(
        None, "1 = last layer of the text tower, 2 = the one before.", "the model's", min=1
    ),
]
Fullwidth = Annotated[
    bool | None,
    typer.Option(
        "--fullwidth/--no-fullwidth",
        help="Read （猫：1.3） as (猫:1.3).",
        show_default="with a Chinese tower",
        rich_help_panel=READING,
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
AllowPickle = Annotated[
    bool,
    typer.Option(
        "--allow-pickle",
        help="Read weights out of .pt, .bin and .ckpt files too; no code of theirs is run.",
        rich_help_panel=MODEL,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
Output = Annotated[Path, picture_option("With --count, -1, -2, ... are added.")]
Force = Annotated[bool, typer.Option("--force", help="The output may be replaced.")]
Wildcards = Annotated[
    Path | None,
    variant_option("DIR", "Expand {a|b} and __name__ in prompts; DIR has the lists, name.txt."),
]
Combinations = Annotated[
    bool,
    typer.Option(
        "--combinations",
        help="Expand to every combination, not to one at random for each seed.",
        rich_help_panel=VARIANTS,
    ),
]
Seed = Annotated[
    int, plain_option("N", "Same seed, same picture; -1 = a random one.", min=-1, max=MAX_SEED)
]
Count = Annotated[
    int, plain_option("N", "Pictures, with seed, seed + 1, ...", min=1, max=MAX_COUNT)
]
Guidance = Annotated[
    float | None,
    plain_option("G", "How closely to follow the prompt.", "the model's", callback=check_guidance),
]
Size = Annotated[
    str | None, typer.Option(metavar="WxH", callback=check_size, show_default="the model's")
]
Scheduler = Annotated[
    str | None,
    plain_option("S", 'The sampler: "Euler a", "DPM++ 2M Karras", DDIM, ...', "the model's"),
]
Regions = Annotated[
    list[str] | None,
    plain_option(
        "REGION",
        "A prompt for a part of the picture: 'left: a cat', '0.5,0,1,1: a dog', 'mask.png: a fox'. "
        "More than once.",
    ),
]
BaseShare = Annotated[
    float | None,
    plain_option(
        "B", "How much PROMPT counts within regions, 0 to below 1.", "0.2", callback=check_share
    ),
]
Device = Annotated[str | None, model_option("NAME", "cpu, cuda or mps.", "the best there is")]
Dtype = Annotated[
    str | None, model_option("NAME", "float32, float16 or bfloat16.", "float16 on cuda")
]
HeatMap = Annotated[
    bool, typer.Option("--heat-map", help="Also write a sheet: what each word drew, and where.")
]
PictureJson = Annotated[
    bool, typer.Option("--json", help="Print a JSON object a picture instead of its path.")
]
