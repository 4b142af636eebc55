"""Make the cells of a matrix: which picture each is, and with what it is drawn."""

from __future__ import annotations

import secrets
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clipcond.cli.matrix_axes import OF_MODELS, OF_PICTURES, Axis, wrong
from clipcond.cli.picture_jobs import RANDOM, JobsOf, PictureJob
from clipcond.cli.variants import styling
from clipcond.prompt import Style

_NO_AXIS = Axis("", "", ("",), (None,))
# What only a model can refuse.
_OF_MODEL = {"size": "size=", "steps": "steps=", "clip-skip": "clip_skip="}


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a matrix.

    Args:
        place: its sheet, row and column, from 0.
        job: the picture.
        models, reading: the choices by which it differs, of models and of how prompts are read.
    """

    place: tuple[int, int, int]
    job: PictureJob
    models: tuple[tuple[str, object], ...]
    reading: tuple[tuple[str, object], ...]

    @property
    def key(self) -> Hashable:
        """What cells with the same picture have in common."""
        return replace(self.job, output=Path()), self.models, self.reading


@dataclass(frozen=True, slots=True)
class Matrix:
    """Up to three axes, and the cells that they span."""

    columns: Axis
    rows: Axis
    sheets: Axis
    cells: tuple[Cell, ...]

    @property
    def axes(self) -> dict[str, Axis]:
        """The axes that there are, by what A1111 calls them."""
        named = {"X": self.columns, "Y": self.rows, "Z": self.sheets}
        return {name: axis for name, axis in named.items() if axis.name}

    def refusal(self, cell: Cell, error: Exception) -> Exception:
        """Show at its axis why a model cannot draw a cell, if one of the axes says so."""
        message = str(getattr(error, "message", error))
        places = zip((self.sheets, self.rows, self.columns), cell.place, strict=True)
        for axis, i in places:
            if axis.name in _OF_MODEL and _OF_MODEL[axis.name] in message:
                return wrong(axis.spec, axis.places[i], message, getattr(error, "remedy", ""))
        return error


def make_matrix(
    axes: Sequence[Axis],
    job: PictureJob,
    jobs_of: JobsOf,
    styles: tuple[Mapping[str, Style], Sequence[str]],
) -> Matrix:
    """Make the cells of a matrix.

    Args:
        job: what the axes do not say.
        jobs_of: lists the one picture of a cell.
        styles: by name, and the names where they are no axis.
    Raises:
        BadParameter: the prompt does not have a text that is to be replaced.
    """
    axes = [_with_seeds(axis) for axis in axes]
    columns, rows, sheets = [*axes, *[_NO_AXIS] * (3 - len(axes))]
    for axis in axes:
        _check_searched(axis, job, axes)
    cells = []
    for z, sheet in enumerate(sheets.values):
        for y, row in enumerate(rows.values):
            for x, column in enumerate(columns.values):
                chosen = {sheets: sheet, rows: row, columns: column}
                chosen.pop(_NO_AXIS, None)
                numbers = [y + 1, x + 1] if len(sheets.values) == 1 else [z + 1, y + 1, x + 1]
                stem = "-".join([job.output.stem, *map(str, numbers)])
                own = replace(job, output=job.output.with_stem(stem))
                cells.append(_cell((z, y, x), own, chosen, jobs_of, styles))
    return Matrix(columns, rows, sheets, tuple(cells))


def _cell(
    place: tuple[int, int, int],
    job: PictureJob,
    chosen: Mapping[Axis, object],
    jobs_of: JobsOf,
    styles: tuple[Mapping[str, Style], Sequence[str]],
) -> Cell:
    models, reading = [], []
    known, names = styles
    fields: dict[str, Any] = {}
    # whole prompts first, or what replaces a part of one would be lost
    for axis, value in sorted(chosen.items(), key=lambda pair: bool(pair[0].searched)):
        field = axis.name.replace("-", "_")
        if axis.searched:
            text = fields.get(field, getattr(job, field))
            fields[field] = text.replace(axis.searched, str(value))
        elif axis.name in OF_PICTURES:
            fields[field] = value
        elif axis.name == "style":
            names = [] if value is None else [str(value)]
        elif axis.name in OF_MODELS:
            models.append((field, value))
        else:
            reading.append((field, value))
    (drawn,) = styling([known[name] for name in names], jobs_of)(replace(job, **fields))
    return Cell(place, drawn, tuple(models), tuple(reading))


def _with_seeds(axis: Axis) -> Axis:
    """Draw the random seeds of an axis: one for all cells of a value, and the label says it."""
    if axis.name != "seed" or RANDOM not in axis.values:
        return axis
    seeds = [secrets.randbelow(2**32) if seed == RANDOM else seed for seed in axis.values]
    return replace(axis, values=tuple(seeds), written=tuple(map(str, seeds)))


def _check_searched(axis: Axis, job: PictureJob, axes: Sequence[Axis]) -> None:
    """Refuse to replace what the prompt does not have."""
    texts = [getattr(job, axis.name)] if axis.searched else []
    for each in axes:
        if each.name == axis.name and axis.searched and not each.searched:
            texts = list(map(str, each.values))
    if not all(axis.searched in text for text in texts):
        what = "the prompt" if axis.name == "prompt" else "the negative prompt"
        message = f"{what} does not have the text {axis.searched!r}"
        raise wrong(axis.spec, len(axis.name) + 1, message, "Write a part of it, letter by letter.")
