"""The command line: `generate` makes pictures, `inspect` shows tokens, `convert` rewrites prompts,
`checkpoint` tells what is inside a file (in checkpoint_command.py), `align` trains an adapter and
`tune-tower` a tower (in align_command.py, tune_command.py).

Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted. Names of pictures, reports and prompts
go to standard output; progress, warnings and errors to standard error. Heavy imports sit inside the
commands: --help, convert and checkpoint need none of them, inspect no diffusers.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from clipcond import __version__
from clipcond.cli.alignment import align
from clipcond.cli.checkpoints import checkpoint
from clipcond.cli.console import progress, short_warnings, waiting
from clipcond.cli.tuning import tune_tower
from clipcond.errors import (
    ClipcondError,
    PromptError,
    PromptWarning,
    UnknownNameError,
    WeightingError,
    warn,
)

__all__ = ["app", "main"]

INTERRUPTED = 130
MAX_SEED = 2**64 - 1  # what torch's generators take
MAX_COUNT = 10_000
MAX_GUIDANCE = 100
# A picture with sides this many times those the model was made for is noise, and may take all
# memory there is.
MAX_ENLARGED = 8

# Typer brings its own click or uses the installed one: the class is found, not imported.
UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    help="Pictures from prompts, with clip skip, long prompts and weighted tokens.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; an error is one message, not a traceback."""
    # OpenMP's threads wait in a busy loop by default: beside other jobs, ten times as slow
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        with short_warnings():
            code = app(args=argv, prog_name="clipcond", standalone_mode=False) or 0
    except UsageError as error:
        return _failed(error.format_message(), 2)
    except WeightingError as error:  # a prompt that can be read, and not be drawn
        return _failed(str(error), 1)
    except (UnknownNameError, PromptError) as error:
        return _failed(str(error), 2)
    except ClipcondError as error:
        return _failed(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if os.environ.get("CLIPCOND_TRACEBACK"):
            raise
        return _failed(_unexpected(error), 1)
    return _failed("interrupted", INTERRUPTED) if code == INTERRUPTED else code


def _failed(message: str, code: int) -> int:
    print(f"clipcond: {message}", file=sys.stderr)
    return code


def _unexpected(error: Exception) -> str:
    text = str(error).strip()
    if isinstance(error, MemoryError) or "memory" in text.lower():
        return f"out of memory: {text.splitlines()[0] if text else 'the picture is too large'}"
    return (
        f"unexpected {type(error).__name__}: {text}\n"
        "Set CLIPCOND_TRACEBACK=1 to see where it comes from."
    )


def _version(wanted: bool) -> None:
    if wanted:
        print(f"clipcond {__version__}")
        raise typer.Exit


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise typer.BadParameter(f"not valid UTF-8 at character {error.start}") from None
    return value


def _guidance(value: float) -> float:
    if not 0 <= value <= MAX_GUIDANCE:  # False for NaN too
        raise typer.BadParameter(f"a number from 0 to {MAX_GUIDANCE} is needed, not {value}")
    return value


def _size(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", value):
        raise typer.BadParameter(f"{value!r} is no WIDTHxHEIGHT, such as 512x768")
    return value


def _png(value: Path) -> Path:
    if value.suffix.lower() != ".png":
        raise typer.BadParameter(f"{str(value)!r}: pictures are written as .png")
    return value


Prompt = Annotated[str, typer.Argument(help="What to show.", callback=_text)]
Dialect = Annotated[
    str, typer.Option("--dialect", metavar="D", help="How the prompt is read and weighted.")
]
Tower = Annotated[
    str | None,
    typer.Option("--tower", metavar="T", help="Another text tower than the model's own."),
]
Adapter = Annotated[
    Path | None,
    typer.Option(
        "--adapter", metavar="FILE", help="What maps another tower into the model's text space."
    ),
]
Inversion = Annotated[
    list[Path] | None,
    typer.Option(
        "--inversion",
        metavar="FILE",
        help="A textual inversion, written in the prompt by its file's name. More than once.",
    ),
]
ClipSkip = Annotated[
    int,
    typer.Option(
        "--clip-skip", min=1, help="1 = last layer of the text tower, 2 = the one before."
    ),
]
Fullwidth = Annotated[
    bool | None,
    typer.Option(
        "--fullwidth/--no-fullwidth",
        help="Read （猫：1.3） as (猫:1.3).",
        show_default="with a Chinese tower",
    ),
]


app.command()(checkpoint)
app.command()(align)
app.command()(tune_tower)


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def generate(
    prompt: Prompt,
    negative: Annotated[
        str, typer.Option("-n", "--negative", callback=_text, help="What to keep out.")
    ] = "",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="M",
            help="Folder, .safetensors file or Hub id.",
            show_default="embedded",
        ),
    ] = None,
    tower: Tower = None,
    adapter: Adapter = None,
    allow_unaligned: Annotated[
        bool,
        typer.Option(
            "--allow-unaligned", help="Only warn where tower and model do not belong together."
        ),
    ] = False,
    inversion: Inversion = None,
    clip_skip: ClipSkip = 2,
    dialect: Dialect = "a1111",
    fullwidth: Fullwidth = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Denoising steps.")] = 20,
    guidance: Annotated[
        float,
        typer.Option("--guidance", callback=_guidance, help="How closely to follow the prompt."),
    ] = 5.0,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=MAX_SEED, help="Same seed, same picture.")
    ] = 0,
    count: Annotated[
        int,
        typer.Option(
            "--count", min=1, max=MAX_COUNT, help="Pictures to make, with seed, seed + 1, ..."
        ),
    ] = 1,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="WxH", callback=_size, show_default="the model's"),
    ] = None,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", callback=_png, help="With --count, -1, -2, ... are added."),
    ] = Path("out.png"),
) -> None:
    """Make pictures of a prompt and write them as PNG files."""
    paths = _paths(output, count)
    if seed + count - 1 > MAX_SEED:
        raise typer.BadParameter(f"--seed plus --count goes beyond {MAX_SEED}")
    from clipcond.metadata.png import check_writable, parameters_text, save_png

    for path in paths:
        check_writable(path)
    with waiting("loading"):
        from clipcond.pipelines import build_pipeline

        pipe = build_pipeline(
            model,
            tower=tower,
            adapter=adapter,
            allow_unaligned=allow_unaligned,
            clip_skip=clip_skip,
            dialect=dialect,
            fullwidth=fullwidth,
        )
        for file in inversion or ():
            pipe.conditioner.load_inversion(file)
    pipe.set_progress_bar_config(disable=True)
    width, height = _sides(pipe, size)
    _check_steps(pipe, steps)
    for i, path in enumerate(paths):
        with progress(steps, f"{i + 1} of {count}: " if count > 1 else "") as advance:
            image = _picture(
                pipe,
                advance,
                seed + i,
                prompt=prompt,
                negative_prompt=negative,
                num_inference_steps=steps,
                guidance_scale=guidance,
                width=width,
                height=height,
            )
        settings = {
            "Steps": steps,
            "Sampler": type(pipe.scheduler).__name__.removesuffix("Scheduler"),
            "CFG scale": f"{guidance:g}",
            "Seed": seed + i,
            "Size": f"{width}x{height}",
            "Model": "embedded" if model is None else Path(model).stem,
            **({} if tower is None else {"Tower": tower}),
            **({} if adapter is None else {"Adapter": adapter.stem}),
            "Clip skip": clip_skip,
            "Dialect": dialect,
            "Version": f"clipcond {__version__}",
        }
        save_png(image, path, parameters_text(prompt, negative, settings))
        print(path, flush=True)


@app.command()
def inspect(
    prompt: Prompt,
    dialect: Dialect = "a1111",
    tower: Tower = None,
    inversion: Inversion = None,
    clip_skip: ClipSkip = 2,
    fullwidth: Fullwidth = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
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
    print(json.dumps(_plain(report.json())) if as_json else report.table())


@app.command()
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


def _paths(output: Path, count: int) -> list[Path]:
    if count == 1:
        return [output]
    return [output.with_stem(f"{output.stem}-{i}") for i in range(1, count + 1)]


def _sides(pipe: Any, size: str | None) -> tuple[int, int]:
    """Width and height in pixels, as the model can make them."""
    own = pipe.unet.config.sample_size
    own_height, own_width = (own, own) if isinstance(own, int) else own
    own_width, own_height = own_width * pipe.vae_scale_factor, own_height * pipe.vae_scale_factor
    if size is None:
        return own_width, own_height
    width, height = (int(side) for side in size.split("x"))
    # 8 is asked for by diffusers, whatever the autoencoder
    multiple = math.lcm(8, pipe.vae_scale_factor)
    if width % multiple or height % multiple:
        near = "x".join(str(max(1, round(side / multiple)) * multiple) for side in (width, height))
        raise typer.BadParameter(
            f"--size {size}: sides are multiples of {multiple} for this model, such as {near}"
        )
    if width > own_width * MAX_ENLARGED or height > own_height * MAX_ENLARGED:
        raise typer.BadParameter(
            f"--size {size}: this model was made for {own_width}x{own_height}; "
            f"at most {own_width * MAX_ENLARGED}x{own_height * MAX_ENLARGED}"
        )
    return width, height


def _check_steps(pipe: Any, steps: int) -> None:
    config = pipe.scheduler.config
    # with an offset the last of all training steps would lie beyond their end
    most = config.get("num_train_timesteps", steps) - config.get("steps_offset", 0)
    if steps > most:
        raise typer.BadParameter(f"--steps {steps}: this model has {most} steps at most")


def _picture(pipe: Any, advance: Callable[[], None], seed: int, **arguments: Any) -> Any:
    import torch

    def step(_: Any, _i: int, _t: Any, state: dict[str, Any]) -> dict[str, Any]:
        advance()
        return state

    # a CPU generator gives the same noise on every device
    generator = torch.Generator("cpu").manual_seed(seed)
    result = pipe(**arguments, generator=generator, callback_on_step_end=step)
    if any(getattr(result, "nsfw_content_detected", None) or ()):  # SDXL has no safety checker
        print("clipcond: warning: the model's safety checker blanked a picture", file=sys.stderr)
    return result.images[0]


def _plain(value: Any) -> Any:
    """Values that JSON has: a weight may be NaN or infinite, JSON's numbers may not."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
