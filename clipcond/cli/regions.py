"""Check the regions of `clipcond generate`, before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from clipcond.cli.picture_jobs import PictureJob
from clipcond.errors import PictureError
from clipcond.prompt.region_texts import read_region


def with_regions(
    job: PictureJob, texts: Sequence[str] | None, base_share: float | None
) -> PictureJob:
    """Give a picture the regions of the options, if there are any; else it keeps its own.

    Raises:
        PromptSyntaxError, PictureError, BadParameter: texts that are no regions, masks that are not
            there, or a share without regions; says which, and where.
    """
    job = replace(job, regions=tuple(texts), base_share=None) if texts else job
    job = job if base_share is None else replace(job, base_share=base_share)
    _check_regions(job.regions, job.base_share)
    return job


def _check_regions(texts: Sequence[str], base_share: float | None) -> None:
    if base_share is not None and not texts:
        raise typer.BadParameter("--base-share goes with --region")
    for text in texts:
        mask = read_region(text).mask
        if mask and not Path(mask).is_file():
            message = f"the mask {mask!r} cannot be read: there is no such file"
            raise PictureError(message, mask, "Give its path, or a place such as 'left: a cat'.")


def region_arguments(texts: Sequence[str], base_share: float | None) -> dict[str, Any]:
    """Make the arguments of a pipeline's call; {} without regions."""
    if not texts:
        return {}
    from clipcond.pipelines import regional

    return {"regions": regional(*texts), "base_share": base_share}
