"""Define `clipcond generate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from clipcond.cli.best_of import MOST, open_best_of
from clipcond.cli.console import console, waiting
from clipcond.cli.heat_maps import TracingArtist, with_sheets
from clipcond.cli.job_listing import list_jobs, writable
from clipcond.cli.matrix_asking import Asked, draw_asked
from clipcond.cli.matrix_drawing import Setup
from clipcond.cli.opening import open_artist
from clipcond.cli.options import (
    MODEL,
    VARIANTS,
    AllowPickle,
    BaseShare,
    ClipSkip,
    Combinations,
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
    Regions,
    Scheduler,
    Seed,
    Size,
    Steps,
    Tower,
    Wildcards,
    check_name,
    check_text,
    check_texts,
    model_option,
    plain_option,
    reading_option,
    variant_option,
)
from clipcond.cli.picture_folders import (
    FolderOptions,
    check_named,
    draw_folder,
    folder_option,
    into_folder,
)
from clipcond.cli.picture_jobs import JobsOf, PictureJob, check_targets, jobs_of_prompt
from clipcond.cli.picture_making import make_all
from clipcond.cli.regions import with_regions
from clipcond.cli.taking import honour, take_from
from clipcond.cli.variants import expanding, open_expansion, open_styles, styling


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
        Path,
        typer.Option(
            "-o",
            "--output",
            callback=check_named,
            help="With --count, -1, -2, ... are added; with --prompts the line. With --prompts "
            "also a FOLDER, new or begun: it goes on there.",
        ),
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
    region: Regions = None,
    base_share: BaseShare = None,
    prompts: Annotated[
        str | None,
        plain_option(
            "FILE",
            'A prompt a line, or {"prompt": ..., "negative": ..., "seed": ...}; - = standard '
            "input. One JSON object a picture is printed. Into a FOLDER also .tsv, .jsonl, "
            ".parquet, or a folder of them.",
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
    wildcards: Wildcards = None,
    combinations: Combinations = False,
    styles: Annotated[
        Path | None, variant_option("FILE", "A1111's styles.csv, for --style.")
    ] = None,
    style: Annotated[
        list[str] | None,
        variant_option("NAME", "A style of that file. More than once.", callback=check_texts),
    ] = None,
    matrix: Annotated[
        list[str] | None,
        variant_option(
            "AXIS=A,B",
            'Draw a labelled sheet: "steps=10,20", "clip-skip=1,2", "prompt:cat=cat,dog". Up to '
            "three: columns, rows, sheets.",
            callback=check_texts,
        ),
    ] = None,
    save_all: Annotated[
        bool,
        typer.Option(
            "--save-all",
            help="With --matrix: write each picture as well.",
            rich_help_panel=VARIANTS,
        ),
    ] = False,
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
    column: Annotated[
        list[str] | None,
        folder_option(
            "KIND=NAME",
            "A table's column of prompt, negative, seed, steps, guidance, clip_skip, size, width, "
            "height or name. More than once.",
            "by their names",
            callback=check_texts,
        ),
    ] = None,
    files: Annotated[str, folder_option("KIND", "png, jpg or webp.")] = "png",
    batch_size: Annotated[
        int | None,
        folder_option("N", "Pictures at once.", "what keeps the bits of single ones", min=1),
    ] = None,
    max_bad: Annotated[
        int | None, folder_option("N", "Rows that may be rejected.", "1 % of all, or 10", min=0)
    ] = None,
    engine: Annotated[str, folder_option("NAME", "local, or ray = Ray Data.")] = "local",
    address: Annotated[
        str | None, folder_option("ADDRESS", "Of a Ray cluster, such as auto.")
    ] = None,
    workers: Annotated[int | None, folder_option("N", "Of Ray.", "one for each GPU", min=1)] = None,
) -> None:
    """Make pictures of a prompt, of its variants, of a file's lines, or as another was made."""
    job = PictureJob(prompt or "", negative, seed, steps, guidance, None, size, output)
    choices: dict[str, Any] = {
        "vae": vae,
        "allow_pickle": allow_pickle,
        "tower": tower,
        "adapter": adapter,
        "allow_unaligned": allow_unaligned,
        "clip_skip": clip_skip,
        "dialect": dialect,
        **{"weighting": weighting, "normalize": normalize},
        **{"fullwidth": fullwidth, "extra_networks": extra_networks},
        **{"device": device, "dtype": dtype},
    }
    is_given, read = partial(_is_given, context), None
    if into_folder(prompts, output, is_given):
        folder = FolderOptions(
            column or (), files, batch_size, max_bad, engine, address, workers, as_json
        )
        draw_folder(str(prompts), job, (model, scheduler, inversion or ()), choices, count, folder)
        return
    if like is not None:
        if prompts is not None:
            raise typer.BadParameter("give --from or --prompts, not both")
        job, choices, read = take_from(like, job, choices, is_given)
        prompt = job.prompt
    job = with_regions(job, region, base_share, like)
    prompt = job.prompt if job.regions and prompts is None else prompt  # it may be empty
    if encoder is not None and best_of == 1:
        raise typer.BadParameter("--encoder goes with --best-of")
    jobs_of: JobsOf = partial(jobs_of_prompt, count=count, stride=best_of)
    if expansion := open_expansion(wildcards, combinations=combinations):
        jobs_of = expanding(expansion, count if is_given("count") else None, best_of)
    known = open_styles(styles, style or ())
    if matrix:
        setup = Setup(model, scheduler, inversion or (), choices, read)
        asked = Asked(tuple(matrix), save_all, as_json, force)
        draw_asked(context, asked, job, jobs_of, (known, style or ()), setup)
        return
    if save_all:
        raise typer.BadParameter("--save-all goes with --matrix")
    jobs_of = styling([known[name] for name in style or ()], jobs_of)
    jobs, n_bad = list_jobs(prompt, prompts, job, jobs_of)
    check_targets(with_sheets(jobs, best_of) if heat_map else jobs, force=force)
    jobs = writable(jobs)
    if not jobs:
        raise typer.Exit(1)
    console.prompts = [text for job in jobs for text in (job.prompt, job.negative, *job.regions)]
    make = make_all
    if best_of > 1:
        make = open_best_of(best_of, encoder, (model, choices["tower"]), allow_pickle).make_all
    with waiting("loading"):
        artist = open_artist(model, scheduler, inversion or (), choices)
    if heat_map:
        artist = TracingArtist(artist.pipe, artist.built_with, inversions=artist.inversions)
    if read is not None:
        honour(read, artist, choices)
    n_made = make(artist, jobs, as_json=as_json or prompts is not None)
    if n_bad or n_made < len(jobs):
        raise typer.Exit(1)


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether the user said it; otherwise it is a default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"
