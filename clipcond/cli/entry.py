"""Assemble the commands, run one, and turn its errors into a message and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted. Results go to standard output; progress,
warnings and errors to standard error. Commands import heavy libraries inside their functions:
--help, convert and checkpoint load no torch, inspect no diffusers.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from clipcond import __version__
from clipcond.cli.checkpoints import checkpoint
from clipcond.cli.console import short_warnings
from clipcond.cli.drawing import generate
from clipcond.cli.prompts import convert, inspect
from clipcond.cli.training import align, tune_tower
from clipcond.errors import ClipcondError, PromptError, UnknownNameError, WeightingError

__all__ = ["app", "main"]

INTERRUPTED = 130
# "Use ..., or say allow_pickle=True: then ...", up to the end of its sentence.
_ARGUMENT = re.compile(r"(?:[,;]? or )?say (\w+)=True(?:(?!\.(?:\s|$)).)*")

# Typer brings its own click or uses the installed one: the class is found, not imported.
UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    help="Pictures from prompts, with clip skip, long prompts and weighted tokens.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (generate, inspect, convert, checkpoint, align, tune_tower):
    app.command()(command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors become messages, not tracebacks."""
    # By default OpenMP's threads wait in a busy loop, ten times as slow when other jobs run.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        with short_warnings():
            code = app(args=argv, prog_name="clipcond", standalone_mode=False) or 0
    except UsageError as error:
        return _fail(error.format_message(), 2)
    except WeightingError as error:  # the prompt can be read, but not encoded
        return _fail(str(error), 1)
    except (UnknownNameError, PromptError) as error:
        return _fail(str(error), 2)
    except ClipcondError as error:
        return _fail(_with_options(str(error), sys.argv[1:] if argv is None else argv), 1)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as raised:
        # click makes an Abort of Ctrl-C, and of the EOFError of any library
        cause = raised.__cause__ if isinstance(raised, typer.Abort) else raised
        if isinstance(cause, Exception):
            if os.environ.get("CLIPCOND_TRACEBACK"):
                raise cause from None
            return _fail(_describe(cause), 1)
        code = INTERRUPTED
    return _fail("interrupted", INTERRUPTED) if code == INTERRUPTED else code


def _with_options(message: str, argv: Sequence[str]) -> str:
    """Write Python's arguments in a remedy as the command's options; leave out what it has not."""
    commands: Any = getattr(typer.main.get_command(app), "commands", {})
    command = next((commands[word] for word in argv if word in commands), None)
    known = {name for parameter in getattr(command, "params", ()) for name in parameter.opts}

    def option(match: re.Match[str]) -> str:
        name = f"--{match[1].replace('_', '-')}"
        return match[0].replace(f"{match[1]}=True", name) if name in known else ""

    return _ARGUMENT.sub(option, message)


def _fail(message: str, code: int) -> int:
    print(f"clipcond: {message}", file=sys.stderr)
    return code


def _describe(error: Exception) -> str:
    text = str(error).strip()
    if isinstance(error, MemoryError) or "memory" in text.lower():
        return f"out of memory: {text.splitlines()[0] if text else 'the picture is too large'}"
    return (
        f"unexpected {type(error).__name__}: {text}\n"
        "Set CLIPCOND_TRACEBACK=1 to see where it comes from."
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"clipcond {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass
