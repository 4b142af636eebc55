"""Write a sheet of what each word drew next to a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clipcond.cli.picture_jobs import PictureJob
from clipcond.cli.pictures import Artist

if TYPE_CHECKING:
    from PIL.Image import Image

    from clipcond.pipelines.picture_batches import Encoded


@dataclass
class TracingArtist(Artist):
    """An artist that draws pictures one by one, and a sheet of heat maps for each."""

    sheets: dict[Path, Image] = field(default_factory=dict)

    def most_at_once(self, job: PictureJob) -> int:
        return 1

    def draw(
        self, jobs: Sequence[PictureJob], encoded: Sequence[Encoded], label: str
    ) -> list[Image]:
        from clipcond.pipelines import trace

        with trace(self.pipe) as seen:
            images = super().draw(jobs, encoded, label)
        self.sheets = {jobs[0].output: seen.sheet(images[0])}
        return images

    def save(self, image: Image, job: PictureJob) -> dict[str, object]:
        from clipcond.metadata import save_picture

        made = super().save(image, job)
        sheet = sheet_of(job)
        save_picture(self.sheets.pop(job.output), sheet.output, self._parameters(job).as_written())
        return {**made, "heat_map": str(sheet.output)}


def sheet_of(job: PictureJob) -> PictureJob:
    """Say where the sheet of a picture is written: next to it."""
    return replace(job, output=job.output.with_stem(f"{job.output.stem}-heat-map"))


def with_sheets(jobs: Sequence[PictureJob], best_of: int) -> list[PictureJob]:
    """List pictures and their sheets, all of which are written.

    Raises:
        BadParameter: several pictures are drawn for one that is kept, or there are regions.
    """
    if any(job.regions for job in jobs):
        raise typer.BadParameter(
            "--heat-map traces pictures without regions: leave out --heat-map, or the regions"
        )
    if best_of > 1:
        raise typer.BadParameter(
            "--heat-map traces each picture as it is drawn: leave out --best-of, or draw the seed "
            "that it has chosen once more"
        )
    return [*jobs, *map(sheet_of, jobs)]
