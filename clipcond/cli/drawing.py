"""Define `clipcond generate`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer

from clipcond.cli.best_of import MOST, open_best_of
from clipcond.cli.console import console, waiting
from clipcond.cli.heat_maps import TracingArtist, check_one_each, sheet_of
from clipcond.cli.options import (
    MODEL,
    AllowPickle,
    ClipSkip,
    Count,
    Device,
    Dialect,
    Dtype,
    ExtraNetworks,
    Force,
    Fullwidth,
    Guidance,
    HeatMap,
    Inversion,
    Model,
    PictureJson,
    Scheduler,
    Seed,
    Size,
    Steps,
    Tower,
    check_name,
    check_text,
    model_option,
    picture_option,
    plain_option,
    reading_option,
)
from clipcond.cli.picture_jobs import (
    PictureJob,
    check_targets,
    jobs_of_file,
    jobs_of_prompt,
)
from clipcond.cli.picture_making import make_all
from clipcond.cli.pictures import Artist
from clipcond.cli.taking import honour, take_from
from clipcond.errors import BadLine, ClipcondError
from clipcond.files import check_writable

ROOM_OF_SETTINGS = 1000  # characters, beside the prompts


def generate(
    context: typer.Context,
    prompt: Annotated[
        str | None,
        typer.Argument(help="What to show, in quotes.", callback=check_text, show_default=False),
    ] = None,
    negative: Annotated[
        str, typer.Option("-n", "--negative", callback=check_text, help="What to keep out.")
    ] = "",
    output: Annotated[
        Path, picture_option("With --count, -1, -2, ... are added; with --prompts the line.")
    ] = Path("out.png"),
    force: Force = False,
    seed: Seed = 0,
    count: Count = 1,
    best_of: Annotated[
        int,
        plain_option(
            "N", "Draw N for each picture, and keep the one nearest to its prompt.", min=1, max=MOST
        ),
    ] = 1,
    encoder: Annotated[
        str | None,
        model_option(
            "E", "With --best-of: the whole CLIP that scores.", "the embedded", callback=check_name
        ),
    ] = None,
    heat_map: HeatMap = False,
    steps: Steps = None,
    guidance: Guidance = None,
    size: Size = None,
    scheduler: Scheduler = None,
    prompts: Annotated[
        str | None,
        plain_option(
            "FILE",
            'A prompt a line, or {"prompt": ..., "negative": ..., "seed": ...}; - = standard '
            "input. One JSON object a picture is printed.",
            callback=check_text,
        ),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="PICTURE",
            help="Take what is not said here from this picture's file: prompts, seed, steps, ...",
        ),
    ] = None,
    as_json: PictureJson = False,
    model: Model = None,
    vae: Annotated[
        str | None, model_option("V", "A folder or file with another autoencoder.", "the model's")
    ] = None,
    allow_pickle: AllowPickle = False,
    tower: Tower = None,
    adapter: Annotated[
        Path | None, model_option("FILE", "What maps another tower into the model's text space.")
    ] = None,
    allow_unaligned: Annotated[
        bool,
        typer.Option(
            "--allow-unaligned",
            help="Only warn where tower and model do not belong together.",
            rich_help_panel=MODEL,
        ),
    ] = False,
    inversion: Inversion = None,
    device: Device = None,
    dtype: Dtype = None,
    clip_skip: ClipSkip = None,
    dialect: Dialect = "a1111",
    weighting: Annotated[
        str | None, reading_option("W", "How weights act.", "the dialect's")
    ] = None,
    normalize: Annotated[
        str | None,
        reading_option(
            "N", "What is done to weights first: none, mean, length, ...", "the dialect's"
        ),
    ] = None,
    fullwidth: Fullwidth = None,
    extra_networks: ExtraNetworks = None,
) -> None:
    """Make pictures of a prompt, of each line of a file, or as another picture was made."""
    job = PictureJob(prompt or "", negative, seed, steps, guidance, None, size, output)
    choices: dict[str, Any] = {
        "vae": vae,
        "allow_pickle": allow_pickle,
        "tower": tower,
        "adapter": adapter,
        "allow_unaligned": allow_unaligned,
        "clip_skip": clip_skip,
        "dialect": dialect,
        "weighting": weighting,
        "normalize": normalize,
        "fullwidth": fullwidth,
        "extra_networks": extra_networks,
        "device": device,
        "dtype": dtype,
    }
    read = None
    if like is not None:
        if prompts is not None:
            raise typer.BadParameter("give --from or --prompts, not both")
        job, choices, read = take_from(like, job, choices, partial(_is_given, context))
        prompt = job.prompt
    jobs, n_bad = _list_jobs(prompt, prompts, job, count, best_of)
    if encoder is not None and best_of == 1:
        raise typer.BadParameter("--encoder goes with --best-of")
    if heat_map:
        check_one_each(best_of)
    check_targets([*jobs, *map(sheet_of, jobs)] if heat_map else jobs, force=force)
    jobs = _writable(jobs)
    if not jobs:
        raise typer.Exit(1)
    console.prompts = [text for job in jobs for text in (job.prompt, job.negative)]
    as_json = as_json or prompts is not None
    chosen = (
        open_best_of(best_of, encoder, (model, choices["tower"]), allow_pickle)
        if best_of > 1
        else None
    )
    with waiting("loading"):
        artist = open_artist(model, scheduler, inversion or (), choices)
    if heat_map:
        artist = TracingArtist(artist.pipe, artist.built_with)
    if read is not None:
        honour(read, artist.pipe)
    make = make_all if chosen is None else chosen.make_all
    n_made = make(artist, jobs, as_json=as_json)
    if n_bad or n_made < len(jobs):
        raise typer.Exit(1)


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether the user said it; otherwise it is a default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _list_jobs(
    prompt: str | None, prompts: str | None, job: PictureJob, count: int, stride: int
) -> tuple[list[PictureJob], int]:
    """List the pictures to make, and count the lines that were refused."""
    if (prompt is None) == (prompts is None):
        if prompts is not None:
            raise typer.BadParameter("give a prompt or --prompts, not both")
        raise typer.BadParameter('a prompt is missing: clipcond generate "a red fox"')
    if prompts is None:
        return jobs_of_options(job, count, stride), 0
    jobs, bad = jobs_of_file(prompts, job, count, stride)
    for number, message in bad:
        console.say_of(f"line {number}: ", message)
    if not jobs and not bad:
        raise typer.BadParameter(f"{prompts!r} holds no prompt")
    return jobs, len(bad)


def jobs_of_options(job: PictureJob, count: int, stride: int = 1) -> list[PictureJob]:
    """List so many pictures of one prompt, and say which seed was drawn at random.

    Raises:
        BadParameter: a seed is beyond what generators take.
    """
    try:
        jobs = jobs_of_prompt(job, count, stride)
    except BadLine as error:
        raise typer.BadParameter(str(error)) from None
    if job.seed < 0:
        console.say(f"seed {jobs[0].seed}")
    return jobs


def _writable(jobs: Sequence[PictureJob]) -> list[PictureJob]:
    """Keep the pictures of a file whose place can be written to; refuse a single one's."""
    from clipcond.metadata.pictures import check_fits

    good = []
    for job in jobs:
        try:
            check_writable(job.output)
            check_fits(job.prompt + job.negative + " " * ROOM_OF_SETTINGS, job.output)
        except ClipcondError as error:
            if not job.line:
                raise
            console.say_of(job.place, str(error))
        else:
            good.append(job)
    return good


def open_artist(
    model: str | None, scheduler: str | None, inversions: Sequence[Path], choices: dict[str, Any]
) -> Artist:
    """Build a pipeline to draw with.

    Args:
        scheduler: a sampler's name; None = the model's own.
        choices: arguments of `build_pipeline`.
    """
    from clipcond.conditioning.dialects import find_dialect
    from clipcond.pipelines.schedulers import find_scheduler, make_scheduler

    # a typing error should not cost the minutes that loading takes
    dialect = find_dialect(choices["dialect"])
    if scheduler is not None:
        find_scheduler(scheduler)
    from clipcond.pipelines import build_pipeline

    pipe = build_pipeline(model, **{**choices, "dialect": dialect})
    if scheduler is not None:
        pipe.scheduler = make_scheduler(scheduler, pipe.scheduler)
    hashes: list[str] = []
    for file in inversions:
        before = {*pipe.conditioner.inversions}
        pipe.conditioner.load_inversion(file, allow_pickle=choices["allow_pickle"])
        names = [name for name in pipe.conditioner.inversions if name not in before]
        hashes += [f"{name}: {_hash_of(file)}".rstrip(": ") for name in names]
    pipe.set_progress_bar_config(disable=True)
    adapter = choices.get("adapter")
    named = {
        "Model": "embedded" if model is None else Path(model).stem,
        "Tower": choices.get("tower"),
        "Adapter": None if adapter is None else adapter.stem,
        "VAE": None if choices.get("vae") is None else Path(choices["vae"]).stem,
        "Weighting": choices.get("weighting"),
        "Normalize": choices.get("normalize"),
        "Full-width": choices.get("fullwidth"),
        "Extra networks": False if choices.get("extra_networks") is False else None,
        "TI hashes": ", ".join(hashes) or None,
    }
    return Artist(pipe, named)


def _hash_of(file: Path) -> str:
    """Shorten a file's SHA-256 as A1111 does; "" of a folder."""
    return sha256(file.read_bytes()).hexdigest()[:12] if file.is_file() else ""
