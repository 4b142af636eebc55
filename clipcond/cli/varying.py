"""Define `clipcond vary`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipcond.cli.console import console, waiting
from clipcond.cli.job_listing import jobs_of_options
from clipcond.cli.opening import open_artist
from clipcond.cli.options import (
    AllowPickle,
    ClipSkip,
    Count,
    Device,
    Dialect,
    Dtype,
    Force,
    Guidance,
    Model,
    Output,
    PictureJson,
    Scheduler,
    Seed,
    Size,
    Steps,
    Tower,
    check_finite,
    check_name,
    check_text,
    model_option,
    plain_option,
)
from clipcond.cli.picture_jobs import PictureJob, check_targets, jobs_of_prompt
from clipcond.cli.picture_making import make_all
from clipcond.cli.pictures import Artist
from clipcond.files import check_writable

if TYPE_CHECKING:
    from PIL.Image import Image

    from clipcond.conditioning import Conditioner, Conditioning

HALF_WAY = 0.5


def vary(
    image: Annotated[Path, typer.Argument(help="The picture.", show_default=False)],
    text: Annotated[
        str,
        typer.Option("-p", "--prompt", callback=check_text, help="What to show besides."),
    ] = "",
    negative: Annotated[
        str, typer.Option("-n", "--negative", callback=check_text, help="What to keep out.")
    ] = "",
    image_weight: Annotated[
        float,
        plain_option(
            "W", "1 = the picture as it is read, 0 = as if there were none.", callback=check_finite
        ),
    ] = 1.0,
    toward: Annotated[
        Path | None, plain_option("IMAGE", "Another picture, to draw what is between.", False)
    ] = None,
    amount: Annotated[
        float | None,
        plain_option("A", "How far toward it.", f"{HALF_WAY}", min=0, max=1, callback=check_finite),
    ] = None,
    output: Output = Path("out.png"),
    force: Force = False,
    seed: Seed = 0,
    count: Count = 1,
    steps: Steps = None,
    guidance: Guidance = None,
    size: Size = None,
    scheduler: Scheduler = None,
    as_json: PictureJson = False,
    model: Model = None,
    tower: Tower = None,
    allow_pickle: AllowPickle = False,
    image_adapter: Annotated[
        Path | None,
        model_option("FILE", "What maps pictures into the model's text space.", "the model's"),
    ] = None,
    encoder: Annotated[
        str | None,
        model_option(
            "E", "The CLIP that this adapter reads.", "the one it names", callback=check_name
        ),
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    clip_skip: ClipSkip = None,
    dialect: Dialect = "a1111",
) -> None:
    """Make variations of a picture, alone or together with a prompt, and write them to files."""
    if encoder is not None and image_adapter is None:
        raise typer.BadParameter("--encoder goes with --image-adapter")
    if amount is not None and toward is None:
        raise typer.BadParameter("--amount goes with --toward")
    job = PictureJob(text, negative, seed, steps, guidance, None, size, output)
    jobs = jobs_of_options(job, partial(jobs_of_prompt, count=count))
    check_targets(jobs, force=force)
    for each in jobs:
        check_writable(each.output)
    console.prompts = [text, negative]
    from clipcond.reading import read_picture

    pictures = [read_picture(path) for path in (image, toward) if path is not None]
    building = {
        "allow_pickle": allow_pickle,
        "clip_skip": clip_skip,
        "dialect": dialect,
        "device": device,
        "dtype": dtype,
        "tower": tower,
    }
    with waiting("loading"):
        artist = open_artist(model, scheduler, (), building)
        conditioner = artist.pipe.conditioner
        _take_adapter(conditioner, image_adapter, encoder)
        # one by one, for an amount of 1 is the other picture: two at once may round otherwise
        embeds, *others = (conditioner.image_reader.embed(each)[0] for each in pictures)
    named: dict[str, object] = {"Image": image.name, "Image weight": image_weight}
    if image_adapter is not None:
        named["Image adapter"] = image_adapter.stem
    if toward is not None:
        from clipcond.conditioning import slerp

        amount = HALF_WAY if amount is None else amount
        embeds = slerp(embeds, others[0], amount)
        named |= {"Toward": toward.name, "Amount": amount}
    conditioned = conditioner.with_image(embeds, text, image_weight)
    varier = Varier(artist.pipe, artist.built_with | named, conditioned, named)
    if make_all(varier, jobs, as_json=as_json) < len(jobs):
        raise typer.Exit(1)


def _take_adapter(conditioner: Conditioner, file: Path | None, encoder: str | None) -> None:
    """Give a Conditioner the image adapter that the options name, if any."""
    if file is None:
        return
    from clipcond.adapters import load_adapter
    from clipcond.reading import load_encoder

    adapter, record = load_adapter(file)
    conditioner.take_images(adapter, load_encoder(encoder or record.tower_name))


@dataclass
class Varier(Artist):
    """Draws what a picture and a prompt were encoded as.

    Args:
        named: the picture, for JSON, under the names that the file's settings have.
    """

    conditioned: Conditioning
    named: dict[str, object]

    def most_at_once(self, job: PictureJob) -> int:
        return 1

    def save(self, image: Image, job: PictureJob) -> dict[str, object]:
        found = {name.lower().replace(" ", "_"): value for name, value in self.named.items()}
        return {**super().save(image, job), **found}

    def _call(self, job: PictureJob) -> dict[str, Any]:
        call = super()._call(job)
        del call["prompt"]
        call["prompt_embeds"] = self.conditioned.embeds
        if self.conditioned.pooled is not None:
            call["pooled_prompt_embeds"] = self.conditioned.pooled
        return call
