"""List the pictures that options and files ask for, and refuse what cannot be written."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from clipcond.cli.console import console
from clipcond.cli.picture_jobs import JobsOf, PictureJob, jobs_of_file
from clipcond.errors import BadLine, ClipcondError
from clipcond.files import check_writable

ROOM_OF_SETTINGS = 1000  # characters, beside the prompts


def list_jobs(
    prompt: str | None, prompts: str | None, job: PictureJob, jobs_of: JobsOf
) -> tuple[list[PictureJob], int]:
    """List the pictures to make, and count the lines that were refused.

    Args:
        prompt, prompts: the text, or the file with a prompt a line.
        job: what is not said of each.
        jobs_of: lists the pictures of one prompt.
    """
    if (prompt is None) == (prompts is None):
        if prompts is not None:
            raise typer.BadParameter("give a prompt or --prompts, not both")
        raise typer.BadParameter('a prompt is missing: clipcond generate "a red fox"')
    if prompts is None:
        return jobs_of_options(job, jobs_of), 0
    jobs, bad = jobs_of_file(prompts, job, jobs_of)
    for number, message in bad:
        console.say_of(f"line {number}: ", message)
    if not jobs and not bad:
        raise typer.BadParameter(f"{prompts!r} holds no prompt")
    return jobs, len(bad)


def jobs_of_options(job: PictureJob, jobs_of: JobsOf) -> list[PictureJob]:
    """List the pictures of one prompt, and say which seed was drawn at random.

    Raises:
        BadParameter: a seed is beyond what generators take.
    """
    try:
        jobs = jobs_of(job)
    except BadLine as error:
        raise typer.BadParameter(str(error)) from None
    if job.seed < 0:
        console.say(f"seed {jobs[0].seed}")
    return jobs


def writable(jobs: Sequence[PictureJob]) -> list[PictureJob]:
    """Keep the pictures of a file whose place can be written to; refuse a single one's."""
    from clipcond.metadata.infotext import join_infotext
    from clipcond.metadata.pictures import check_fits

    good = []
    for job in jobs:
        try:
            check_writable(job.output)
            above = join_infotext(job.prompt, job.negative, {"Steps": "1"})
            texts = above, job.template, job.negative_template, *job.regions
            check_fits("".join(texts) + " " * ROOM_OF_SETTINGS, job.output)
        except ClipcondError as error:
            if not job.line:
                raise
            console.say_of(job.place, str(error))
        else:
            good.append(job)
    return good
