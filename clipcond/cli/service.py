"""Define `clipcond serve`: encode, inspect, convert and draw for other programs, over HTTP."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from clipcond.cli.console import waiting
from clipcond.cli.messages import with_options, without_python
from clipcond.cli.options import (
    AllowPickle,
    ClipSkip,
    Device,
    Dialect,
    Dtype,
    Inversion,
    Model,
    Tower,
    check_name,
    model_option,
    plain_option,
    reading_option,
)
from clipcond.errors import ClipcondError

LIMITS: dict[str, Any] = {"rich_help_panel": "Limits"}
_NEEDED = ("fastapi", "uvicorn", "prometheus_client")
# The arguments that a request has as fields, so that advice to use them is kept.
_FIELDS = (
    *("--clip-skip", "--dialect", "--weighting", "--normalize", "--pooled", "--fullwidth"),
    *("--steps", "--size", "--seed", "--guidance", "--scheduler"),
)


def serve(
    host: Annotated[
        str,
        plain_option(
            "NAME", "Who can ask: 0.0.0.0 = the network, with a token.", callback=check_name
        ),
    ] = "127.0.0.1",
    port: Annotated[int, plain_option("N", "0 = any free one.", min=0, max=65535)] = 8000,
    text_only: Annotated[
        bool,
        typer.Option("--text-only", help="Load the text tower alone: nothing is drawn."),
    ] = False,
    log_prompts: Annotated[
        bool, typer.Option("--log-prompts", help="Write what is asked into the log, prompts too.")
    ] = False,
    model: Model = None,
    tower: Tower = None,
    adapter: Annotated[
        Path | None, model_option("FILE", "What maps another tower into the model's text space.")
    ] = None,
    inversion: Inversion = None,
    device: Device = None,
    dtype: Dtype = None,
    allow_pickle: AllowPickle = False,
    dialect: Dialect = "a1111",
    clip_skip: ClipSkip = None,
    weighting: Annotated[
        str | None, reading_option("W", "How weights act.", "the dialect's")
    ] = None,
    max_batch: Annotated[
        int,
        typer.Option(min=1, max=1024, help="Prompts encoded at once, or in a request.", **LIMITS),
    ] = 32,
    max_wait_ms: Annotated[
        float,
        typer.Option(min=0, max=1000, help="How long a prompt waits for others at most.", **LIMITS),
    ] = 2.0,
    max_queue: Annotated[
        int, typer.Option(min=1, help="Requests that wait or are worked on; else 429.", **LIMITS)
    ] = 256,
    max_drawings: Annotated[
        int, typer.Option(min=1, help="Pictures that wait or are drawn; else 429.", **LIMITS)
    ] = 8,
    max_prompt: Annotated[
        int, typer.Option(min=1, help="Characters of a prompt.", **LIMITS)
    ] = 20_000,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request.", **LIMITS)] = 2**20,
    max_chunks: Annotated[
        int, typer.Option(min=1, help="Chunks of a prompt; longer ones are cut.", **LIMITS)
    ] = 8,
    cache_mib: Annotated[
        int, typer.Option(min=0, help="Memory for encoded chunks, MiB.", **LIMITS)
    ] = 256,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds for a request.", **LIMITS)
    ] = 30.0,
    draw_timeout: Annotated[
        float, typer.Option(min=0.1, max=86400, help="Seconds for a picture.", **LIMITS)
    ] = 300.0,
    drain_timeout: Annotated[
        float,
        typer.Option(
            min=0, max=3600, help="Seconds that requests have left when it is ended.", **LIMITS
        ),
    ] = 30.0,
) -> None:
    """Encode, inspect, convert and draw for other programs, over HTTP; CLIPCOND_TOKEN guards it."""
    missing = next((name for name in _NEEDED if find_spec(name) is None), None)
    if missing is not None:
        raise ClipcondError(
            f"the service needs the package {missing}, which is not installed",
            'Install it: pip install "clipcond[serve]"',
        )
    if adapter is not None and tower is None:
        raise typer.BadParameter("--adapter goes with --tower")
    with waiting("loading"):
        from clipcond.service import Limits, ServiceSettings
        from clipcond.service import serve as serve_until_ended

    limits = Limits(
        batch=max_batch,
        wait=max_wait_ms / 1000,
        queue=max_queue,
        drawings=max_drawings,
        prompt=max_prompt,
        body=max_body,
        chunks=max_chunks,
        timeout=timeout,
        draw_timeout=draw_timeout,
        drain=drain_timeout,
        cache_bytes=cache_mib * 2**20,
    )
    settings = ServiceSettings(
        model=model,
        tower=tower,
        adapter=adapter,
        inversions=tuple(inversion or ()),
        device=device,
        dtype=dtype,
        allow_pickle=allow_pickle,
        text_only=text_only,
        dialect=dialect,
        clip_skip=clip_skip,
        weighting=weighting,
        limits=limits,
        token=os.environ.get("CLIPCOND_TOKEN"),
        log_prompts=log_prompts,
        reword=worded,
    )
    serve_until_ended(settings, host=host, port=port, say=_say)


def worded(text: str) -> str:
    """Word a message for requests: their fields instead of Python's arguments."""
    said = without_python(with_options(text, _FIELDS))
    for option in _FIELDS:
        said = said.replace(option, option[2:].replace("-", "_"))
    return said


def _say(address: str) -> None:
    """Print the service's address on standard output, at once."""
    print(address, flush=True)
