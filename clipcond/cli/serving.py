"""Define `clipcond app`: the page in the browser."""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from clipcond.cli.console import console, waiting
from clipcond.cli.messages import hint, in_chinese, with_options, without_python
from clipcond.cli.options import (
    AllowPickle,
    Device,
    Dtype,
    Model,
    check_name,
    check_text,
    model_option,
    plain_option,
)
from clipcond.cli.reading import Encoder
from clipcond.errors import ClipcondError

# The options whose places on the page are fields, by the fields' names in English and Chinese.
_FIELDS = {
    "--clip-skip": ("Clip skip", "Clip skip"),
    "--dialect": ("Dialect", "方言"),
    "--tower embedded-zh": ("Text tower Chinese", "文本编码器 中文"),
    "--tower": ("Text tower", "文本编码器"),
    "--steps": ("Steps", "步数"),
    "--size": ("Width and height", "宽和高"),
    "--seed": ("Seed", "种子"),
    "--guidance": ("Guidance", "引导强度"),
    "--count": ("Count", "张数"),
    "--allow-pickle": ("clipcond app --allow-pickle", "clipcond app --allow-pickle"),
}


def app(
    model: Model = None,
    output: Annotated[
        Path, plain_option("FOLDER", "Where pictures are saved, with their settings.")
    ] = Path("pictures"),
    lora_dir: Annotated[
        Path | None,
        plain_option("FOLDER", "LoRAs, for <lora:name:0.8> in prompts; needs peft."),
    ] = None,
    embeddings_dir: Annotated[
        Path | None, plain_option("FOLDER", "Textual inversions, by the names of their files.")
    ] = None,
    tower: Annotated[
        str | None,
        model_option(
            "T",
            "A second text tower to choose on the page.",
            "embedded-zh with the embedded model",
            callback=check_name,
        ),
    ] = None,
    adapter: Annotated[
        Path | None, model_option("FILE", "What maps that tower into the model's text space.")
    ] = None,
    encoder: Encoder = "embedded",
    host: Annotated[
        str,
        plain_option("NAME", "Who can reach the page: 0.0.0.0 = the network, with a password."),
    ] = "127.0.0.1",
    port: Annotated[int, plain_option("N", "0 = any free one.", min=0, max=65535)] = 7860,
    password: Annotated[
        str | None,
        plain_option(
            "P",
            "What visitors need besides the user name, clipcond.",
            "made where others can reach it",
            callback=check_text,
            envvar="CLIPCOND_PASSWORD",
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the page's address.")
    ] = False,
    device: Device = None,
    dtype: Dtype = None,
    allow_pickle: AllowPickle = False,
) -> None:
    """Draw, inspect, convert, compare and read on a page in the browser, on this computer."""
    if adapter is not None and tower is None:
        raise typer.BadParameter("--adapter goes with --tower")
    for name, folder in (("--lora-dir", lora_dir), ("--embeddings-dir", embeddings_dir)):
        if folder is not None and not folder.is_dir():
            raise typer.BadParameter(f"{name}: there is no folder {str(folder)!r}")
    if find_spec("gradio") is None:
        raise ClipcondError(
            "the page needs the package gradio, which is not installed",
            'Install it: pip install "clipcond[app]"',
        )
    with waiting("loading"):
        from clipcond.app import AppSettings, serve
        from clipcond.cli.chinese_report import REPORT

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    settings = AppSettings(
        _made(output),
        model=model,
        device=device,
        dtype=dtype,
        allow_pickle=allow_pickle,
        tower=tower,
        adapter=adapter,
        lora_dir=lora_dir,
        embeddings_dir=embeddings_dir,
        encoder=encoder,
        reword=worded,
        report_words=REPORT,
    )
    serve(
        settings,
        host=host,
        port=port,
        password=password or None,
        browser=not no_browser,
        say=_say,
    )


def _say(text: str) -> None:
    """Print the page's address on standard output; what else is said is no result."""
    if text.startswith("http"):
        print(text, flush=True)
    else:
        console.say(text)


def _made(folder: Path) -> Path:
    """Make the folder for pictures."""
    from clipcond.files import disk_errors

    with disk_errors(f"{str(folder)!r} cannot be made"):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def worded(text: str, chinese: bool) -> str:
    """Word a message for the page: its fields instead of arguments, in the visitor's language.

    Lines that quote a prompt (indented) are kept.
    """
    said = without_python(hint(with_options(text, _FIELDS), [text], _FIELDS))
    said = in_chinese(said) if chinese else said
    return "\n".join(_with_fields(line, chinese) for line in said.split("\n"))


def _with_fields(line: str, chinese: bool) -> str:
    if line.startswith(" "):
        return line
    for option, names in _FIELDS.items():
        line = line.replace(option, names[chinese])
    return line
