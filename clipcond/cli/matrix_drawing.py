"""Draw a matrix: each picture once, models loaded once, and the sheets."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from clipcond.cli.console import console, waiting
from clipcond.cli.matrix_cells import Cell, Matrix
from clipcond.cli.opening import READING, open_artist, read_otherwise
from clipcond.cli.picture_jobs import PictureJob, settings_of
from clipcond.cli.picture_making import draw_all, interrupts_held, step_label
from clipcond.cli.pictures import Artist
from clipcond.cli.taking import honour, with_towers
from clipcond.errors import TowerError

if TYPE_CHECKING:
    from PIL.Image import Image

    from clipcond.metadata import Parameters
    from clipcond.pipelines.protocols import Scheduler

Group = TypeVar("Group", bound=Hashable)
MOST_PIXELS = 400_000_000  # of all pictures, which stay in memory until the sheet is drawn


@dataclass(frozen=True, slots=True)
class Setup:
    """What the artist is opened with where the axes say nothing else.

    Args:
        choices: arguments of `build_pipeline`.
        read: the settings of a picture to honour.
    """

    model: str | None
    scheduler: str | None
    inversions: Sequence[Path]
    choices: Mapping[str, Any]
    read: Parameters | None

    def open(self, models: Mapping[str, Any]) -> Artist:
        """Open the artist with these models."""
        choices = {**self.choices, **{n: v for n, v in models.items() if n != "model"}}
        model = models.get("model", self.model)
        with waiting("loading"):
            artist = open_artist(model, self.scheduler, self.inversions, choices)
        if self.read is not None:
            honour(self.read, artist, choices)
        return artist


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture of a matrix, what its file says, and what it was made with, for JSON."""

    image: Image
    parameters: Parameters
    made: Mapping[str, object]


def draw_matrix(
    matrix: Matrix, setup: Setup, output: Path, *, saves_all: bool, as_json: bool
) -> None:
    """Draw the pictures, write the sheets, and print them.

    Args:
        output: the sheet; several sheets are numbered.
        saves_all: each picture is written too.
    """
    from clipcond.cli.sheets import Labels, draw_sheet
    from clipcond.metadata import save_picture

    drawn = _draw_each(matrix, setup, saves_all=saves_all)
    n_sheets, n_rows = len(matrix.sheets.values), len(matrix.rows.values)
    for z, path in enumerate(outputs_of(matrix, output)):
        grid: list[list[Cell]] = [[] for _ in range(n_rows)]
        for cell in matrix.cells:
            if cell.place[0] == z:
                grid[cell.place[1]].append(cell)
        title = matrix.sheets.labels[z] if n_sheets > 1 else ""
        rows = matrix.rows.labels if matrix.rows.name else [""]
        image = draw_sheet(
            [[drawn[cell.key].image for cell in row] for row in grid],
            Labels(title, matrix.columns.labels, rows),
        )
        first = drawn[grid[0][0].key].parameters
        named = {**first.others, "Script": "X/Y/Z plot", **_named_axes(matrix)}
        with interrupts_held():
            save_picture(image, path, replace(first, others=named).as_written())
            cells = [cell for row in grid for cell in row]
            made = [_made(drawn[c.key], c, matrix, has_file=saves_all) for c in cells]
            axes = {axis.title: axis.written for axis in matrix.axes.values()}
            shown = {"path": str(path), "axes": axes, "pictures": made}
            print(json.dumps(shown) if as_json else path, flush=True)


def outputs_of(matrix: Matrix, output: Path) -> list[Path]:
    """Name the files of the sheets."""
    n = len(matrix.sheets.values)
    return [output] if n == 1 else [output.with_stem(f"{output.stem}-{i + 1}") for i in range(n)]


def targets_of(matrix: Matrix, output: Path, *, saves_all: bool) -> list[PictureJob]:
    """List all files that are written, as jobs whose texts are as long as theirs."""
    jobs = [cell.job for cell in matrix.cells]
    values = "".join(value for axis in matrix.axes.values() for value in axis.written)
    texts = f"{jobs[0].prompt}{values}{values}"  # quotes in them are written as two signs
    sheets = [replace(jobs[0], output=o, prompt=texts) for o in outputs_of(matrix, output)]
    return [*sheets, *(jobs if saves_all else ())]


def _draw_each(matrix: Matrix, setup: Setup, *, saves_all: bool) -> dict[object, Drawn]:
    """Draw each picture once: those of one model together, of those that are read alike.

    What is saved is saved at once, so that an interrupt leaves it.
    """
    from clipcond.metadata import save_picture

    drawn: dict[object, Drawn] = {}
    places = dict(_grouped(matrix.cells, lambda cell: cell.key))
    cells = [group[0] for group in places.values()]
    for models, group in _grouped(cells, lambda cell: cell.models):
        artist = setup.open(dict(models))
        own = artist.pipe.scheduler
        _check(artist, matrix, group, len(cells))
        for reading, alike in _grouped(group, lambda cell: cell.reading):
            choices = {**setup.choices, **dict(models), **dict(reading)}
            if "clip_skip" not in dict(reading):
                choices = {**with_towers(choices, setup.read, artist.pipe)}
            if {*dict(reading)} & {*READING}:
                read_otherwise(artist, choices)
            if "scheduler" in choices:
                artist.pipe.scheduler = _scheduler(choices["scheduler"], own)
            console.place = "".join(f"{_option(name)} {value}: " for name, value in reading)
            keys = {id(cell.job): cell.key for cell in alike}
            n_before = len(drawn)

            def label(n_done: int, n: int, n_before: int = n_before) -> str:
                return step_label(n_before + n_done, n, len(cells))

            for job, image in draw_all(artist, _by_settings(alike), label):
                parameters, made = artist.describe(job)
                drawn[keys[id(job)]] = Drawn(image, parameters, made)
                for cell in places[keys[id(job)]] if saves_all else ():
                    save_picture(image, cell.job.output, parameters.as_written())
    console.place = ""
    return drawn


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _scheduler(name: str | None, own: Scheduler) -> Scheduler:
    from clipcond.pipelines.schedulers import make_scheduler

    return own if name is None else make_scheduler(name, own)


def _check(artist: Artist, matrix: Matrix, cells: Sequence[Cell], n_all: int) -> None:
    """Refuse what the model cannot draw, before anything is drawn.

    Raises:
        BadParameter: a size, a number of steps, or too many pixels.
        TowerError: a clip skip.
    """
    n_pixels = 0
    for cell in cells:
        try:
            width, height = artist.check(cell.job)
        except (typer.BadParameter, TowerError) as error:
            raise matrix.refusal(cell, error) from None
        n_pixels += width * height
    if n_pixels * n_all // len(cells) > MOST_PIXELS:
        raise typer.BadParameter(
            f"the matrix has {n_pixels:,} pixels; at most {MOST_PIXELS:,} are drawn\n"
            "Write fewer values, or a smaller --size."
        )


def _grouped(cells: Sequence[Cell], key: Callable[[Cell], Group]) -> list[tuple[Group, list[Cell]]]:
    """Group what has one key, in the order of first ones."""
    groups: dict[Group, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return [*groups.items()]


def _by_settings(cells: Sequence[Cell]) -> list[PictureJob]:
    """Put next to each other what can be drawn at once."""
    groups = _grouped(cells, lambda cell: settings_of(cell.job))
    return [cell.job for _, group in groups for cell in group]


def _named_axes(matrix: Matrix) -> dict[str, str]:
    """Name the axes as A1111 does."""
    named: dict[str, str] = {}
    for letter, axis in matrix.axes.items():
        written = StringIO()
        csv.writer(written, lineterminator="").writerow(axis.written)
        named |= {f"{letter} Type": axis.title, f"{letter} Values": written.getvalue()}
    return named


def _made(drawn: Drawn, cell: Cell, matrix: Matrix, *, has_file: bool) -> dict[str, object]:
    """Say what a picture was made with, and where it is on the axes, for JSON."""
    made = {name: value for name, value in drawn.made.items() if name != "path"}
    if has_file:
        made = {"path": str(cell.job.output), **made}
    places = zip((matrix.sheets, matrix.rows, matrix.columns), cell.place, strict=True)
    return {**made, "axes": {a.title: a.written[i] for a, i in places if a.name}}
