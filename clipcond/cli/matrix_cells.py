"""Make the cells of a matrix: which picture each is, and with what it is drawn."""

from __future__ import annotations

import secrets
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clipcond.cli.matrix_axes import OF_MODELS, OF_PICTURES, SEARCHED, Axis, wrong
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
    for name in SEARCHED:
        _check_searched(name, axes, getattr(job, name))
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
    for axis, value in chosen.items():
        field = axis.name.replace("-", "_")
        if axis.searched:
            continue
        if axis.name in OF_PICTURES:
            fields[field] = value
        elif axis.name == "style":
            names = [] if value is None else [str(value)]
        elif axis.name in OF_MODELS:
            models.append((field, value))
        else:
            reading.append((field, value))
    for field in SEARCHED:
        # whole prompts are chosen by now: what replaces a part is looked for in them
        parts = {axis: str(v) for axis, v in chosen.items() if axis.name == field and axis.searched}
        if parts:
            fields[field] = _replaced(fields.get(field, getattr(job, field)), parts)
    (drawn,) = styling([known[name] for name in names], jobs_of)(replace(job, **fields))
    return Cell(place, drawn, tuple(models), tuple(reading))


def _with_seeds(axis: Axis) -> Axis:
    """Draw the random seeds of an axis: one for all cells of a value, and the label says it."""
    if axis.name != "seed" or RANDOM not in axis.values:
        return axis
    seeds = [secrets.randbelow(2**32) if seed == RANDOM else seed for seed in axis.values]
    return replace(axis, values=tuple(seeds), written=tuple(map(str, seeds)))


def _check_searched(name: str, axes: Sequence[Axis], written: str) -> None:
    """Refuse to replace what a prompt does not have, or one place of it by two axes."""
    searching = [axis for axis in axes if axis.name == name and axis.searched]
    texts = [written]
    for axis in axes:
        if axis.name == name and not axis.searched:
            texts = list(map(str, axis.values))
    what = "the prompt" if name == "prompt" else "the negative prompt"
    for axis in searching:
        if not all(axis.searched in text for text in texts):
            message = f"{what} does not have the text {axis.searched!r}"
            remedy = "Write a part of it, letter by letter."
            raise wrong(axis.spec, len(axis.name) + 1, message, remedy)
    for text in texts:
        _check_apart(text, searching, what)


def _check_apart(text: str, axes: Sequence[Axis], what: str) -> None:
    """Refuse axes that replace the same letters of a text."""
    end, before = 0, None
    for start, axis in _places(text, axes):
        if before is not None and start < end:
            pair = " and ".join(repr(each.searched) for each in axes if each in (before, axis))
            message = f"two axes replace the same place of {what}: {pair} overlap"
            remedy = "Write more of the words around it in an axis, so that it is found elsewhere."
            raise wrong(text, start, message, remedy)
        end, before = start + len(axis.searched), axis


def _places(text: str, axes: Sequence[Axis]) -> list[tuple[int, Axis]]:
    """List in order where the texts of axes are, each as often as `str.replace` finds it."""
    places = [(start, axis) for axis in axes for start in _found(text, axis.searched)]
    return sorted(places, key=lambda place: place[0])


def _found(text: str, searched: str) -> Iterator[int]:
    start = text.find(searched)
    while start >= 0:
        yield start
        start = text.find(searched, start + len(searched))


def _replaced(text: str, values: Mapping[Axis, str]) -> str:
    """Replace all axes' texts at once: what one puts in is never replaced by another."""
    parts, end = [], 0
    for start, axis in _places(text, [*values]):
        parts += [text[end:start], values[axis]]
        end = start + len(axis.searched)
    return "".join([*parts, text[end:]])
