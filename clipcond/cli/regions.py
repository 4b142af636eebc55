"""Check the regions of `clipcond generate`, before anything is loaded."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from clipcond.cli.picture_jobs import PictureJob
from clipcond.errors import PictureError
from clipcond.prompt.region_texts import read_region


def with_regions(
    job: PictureJob, texts: Sequence[str] | None, base_share: float | None, like: Path | None
) -> PictureJob:
    """Give a picture the regions of the options, if there are any; else it keeps its own.

    Args:
        like: the picture that its own are from.
    Raises:
        PromptSyntaxError, PictureError, BadParameter: texts that are no regions, masks that are not
            there, or a share without regions; says which, and where.
    """
    job = replace(job, regions=tuple(texts), base_share=None) if texts else job
    job = job if base_share is None else replace(job, base_share=base_share)
    if job.base_share is not None and not job.regions:
        raise typer.BadParameter("--base-share goes with --region")
    for text in job.regions:
        mask = read_region(text).mask
        if mask and not os.path.isfile(mask):
            raise _no_mask(mask) if texts or like is None else _lost_mask(mask, job, like)
    return job


def _no_mask(mask: str) -> PictureError:
    message = f"the mask {mask!r} cannot be read: there is no such file"
    return PictureError(message, mask, "Give its path, or a place such as 'left: a cat'.")


def _lost_mask(mask: str, job: PictureJob, like: Path) -> PictureError:
    """Make the error for a mask of a picture's file, with the options that name another path."""
    from clipcond.metadata.regions import base_name

    options = [
        ("--region", text.replace(mask, f"PATH/{base_name(mask)}", 1)) for text in job.regions
    ]
    if job.base_share is not None:
        options.append(("--base-share", f"{job.base_share!r}"))
    written = " ".join(f"{name} {shlex.quote(value)}" for name, value in options)
    return PictureError(
        f"the mask {mask!r} of {str(like)!r} is neither where it was nor next to the picture",
        mask,
        f"Copy it next to the picture, or give all regions again with its path:\n  {written}",
    )


def region_arguments(texts: Sequence[str], base_share: float | None) -> dict[str, Any]:
    """Make the arguments of a pipeline's call; {} without regions."""
    if not texts:
        return {}
    from clipcond.pipelines import regional

    return {"regions": regional(*texts), "base_share": base_share}
