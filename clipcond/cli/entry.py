"""Assemble the commands, run one, and turn its errors into a message and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted. Results go to standard output; progress,
warnings and errors to standard error. Commands import heavy libraries inside their functions:
--help, convert, checkpoint and inspect load no torch, but for a model that only torch can open.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from clipcond import __version__
from clipcond.cli.checkpoints import checkpoint
from clipcond.cli.console import check_streams, console, describe, output_failure, short_warnings
from clipcond.cli.drawing import generate
from clipcond.cli.embedding import embed
from clipcond.cli.expanding import expand
from clipcond.cli.metadata import parameters
from clipcond.cli.prompts import convert, inspect
from clipcond.cli.reading import classify
from clipcond.cli.scoring import score
from clipcond.cli.searching import interrogate, search
from clipcond.cli.service import serve
from clipcond.cli.serving import app as page
from clipcond.cli.training import align, tune_tower
from clipcond.cli.usage import advice
from clipcond.cli.varying import vary
from clipcond.errors import ClipcondError, PromptError, UnknownNameError, WeightingError

INTERRUPTED = 130
EXAMPLES: dict[Callable[..., None], str] = {
    generate: """
        clipcond generate "a (red:1.3) fox" -n blurry -o fox.png

        clipcond generate "a fox" --model model.safetensors --scheduler "DPM++ 2M Karras" --seed -1

        clipcond generate --prompts prompts.txt -o pictures/fox.png

        clipcond generate "a {red|blue} __animal__" --wildcards lists --count 4

        clipcond generate "a fox" --matrix "prompt:fox=fox,owl" --matrix "steps=10,20"

        clipcond generate --from fox.png --seed -1 -o another.png
    """,
    expand: """
        clipcond expand "a {red|blue} __animal__" --wildcards lists --count 5

        clipcond expand "a {red|blue} {fox|owl}" --combinations
    """,
    vary: """
        clipcond vary fox.png -o variation.png --count 4

        clipcond vary fox.png -p "on a red background" --image-weight 0.7

        clipcond vary fox.png --toward owl.png --amount 0.3
    """,
    inspect: """
        clipcond inspect "a (red:1.3) fox BREAK [cat]"

        clipcond inspect "a (red:1.3) fox" --against "a red fox" --html fox.html

        clipcond inspect "a (red:1.3) fox" --against-dialect comfyui --movement
    """,
    convert: """
        clipcond convert "a (red:1.3) fox" --to compel
    """,
    checkpoint: """
        clipcond checkpoint model.safetensors

        clipcond checkpoint model.safetensors --extract tower.safetensors --part 1
    """,
    parameters: """
        clipcond parameters fox.png --json
    """,
    classify: """
        clipcond classify cat.jpg pictures/ --labels cat,dog,owl

        clipcond classify --test labelled/ --confusion confusion.png
    """,
    score: """
        clipcond score fox.png "a (red:1.3) fox, blue background" --parts

        clipcond score pictures/ --matrix matrix.png
    """,
    search: """
        clipcond search pictures "a red fox" --index index

        clipcond search index "at night" --image fox.png
    """,
    interrogate: """
        clipcond interrogate fox.png --encoder openai/clip-vit-large-patch14
    """,
    page: """
        clipcond app

        clipcond app --model model.safetensors --lora-dir loras --embeddings-dir embeddings
    """,
    serve: """
        clipcond serve

        CLIPCOND_TOKEN=... clipcond serve --host 0.0.0.0 --model sdxl --text-only
    """,
    embed: """
        clipcond embed captions.tsv -o embeddings

        clipcond embed captions/ -o embeddings --model sdxl --keep full --engine ray
    """,
    align: """
        clipcond align --tower embedded-zh --pairs pairs.tsv -o adapter.safetensors

        clipcond align --image --tower embedded --pairs captions.tsv -o image.safetensors
    """,
    tune_tower: """
        clipcond tune-tower --tower embedded --vision embedded --pairs captions.tsv -o tuned
    """,
}

# Typer brings its own click or uses the installed one: the class is found, not imported.
UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    help="Pictures from prompts, with clip skip, long prompts and weighted tokens.",
    epilog="clipcond COMMAND --help shows a command's options and examples.",
    invoke_without_command=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command, examples in EXAMPLES.items():
    lines = [line.strip() for line in examples.split("\n") if line.strip()]
    # rich takes what is in square brackets for markup
    app.command(epilog="\n\n".join(["Examples:", *lines]).replace("[", "\\["))(command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; errors become messages, not tracebacks."""
    # By default OpenMP's threads wait in a busy loop, ten times as slow when other jobs run.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    closed = check_streams()
    argv = sys.argv[1:] if argv is None else list(argv)
    console.start(_options(argv), argv)
    if closed:
        return _fail(f"standard output cannot be written: {closed}", 1)
    code = _run(argv)
    failure = output_failure()
    return _fail(f"standard output cannot be written: {failure}", 1) if failure else code


def _run(argv: Sequence[str]) -> int:
    try:
        with short_warnings():
            code = app(args=argv, prog_name="clipcond", standalone_mode=False) or 0
    except UsageError as error:
        return _fail(_wrong_use(error), 2)
    except WeightingError as error:  # the prompt can be read, but not encoded
        return _fail(str(error), 1)
    except (UnknownNameError, PromptError) as error:
        return _fail(str(error), 2)
    except ClipcondError as error:
        return _fail(str(error), 1)
    except SystemExit:  # what click makes of a reader that has closed its end of a pipe
        return _fail("standard output cannot be written: Broken pipe", 1)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as raised:
        # click makes an Abort of Ctrl-C, and of the EOFError of any library
        cause = raised.__cause__ if isinstance(raised, typer.Abort) else raised
        if isinstance(cause, Exception):
            failure = output_failure(cause)
            if failure:
                return _fail(f"standard output cannot be written: {failure}", 1)
            if os.environ.get("CLIPCOND_TRACEBACK"):
                raise cause from None
            return _fail(describe(cause), 1)
        code = INTERRUPTED
    return _fail("interrupted", INTERRUPTED) if code == INTERRUPTED else code


def _fail(message: str, code: int) -> int:
    console.say_of("", message)
    return code


def _wrong_use(error: Any) -> str:
    context = error.ctx
    prompt = None
    if context is not None and any(each.name == "prompt" for each in context.command.params):
        prompt = str(context.params.get("prompt") or "")
    message = error.format_message().removeprefix("Invalid value: ")  # where it names no option
    return advice(message, console.options, prompt)


def _options(argv: Sequence[str]) -> list[str]:
    commands: dict[str, Any] = getattr(typer.main.get_command(app), "commands", {})
    command = next((commands[word] for word in argv if word in commands), None)
    names = [
        name
        for each in getattr(command, "params", ())
        for name in (*each.opts, *each.secondary_opts)
    ]
    return [*(name for name in names if name.startswith("--")), "--help"]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"clipcond {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help(), end="")  # with rich, it is printed already and this is empty
        raise typer.Exit
