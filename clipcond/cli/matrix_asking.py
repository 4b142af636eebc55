"""Draw the matrix that the options of `clipcond generate` ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from secrets import randbelow

import typer

from clipcond.checkpoints.places import NAMES
from clipcond.cli.console import console
from clipcond.cli.job_listing import writable
from clipcond.cli.matrix_axes import read_axes, value_reader
from clipcond.cli.matrix_cells import make_matrix
from clipcond.cli.matrix_drawing import Setup, draw_matrix, targets_of
from clipcond.cli.picture_jobs import RANDOM, JobsOf, PictureJob, check_targets
from clipcond.cli.variants import check_style
from clipcond.errors import CheckpointError, warn
from clipcond.files import local_path, near
from clipcond.prompt import Style

# Options that make several pictures of one, or draw on it.
_APART = ("prompts", "count", "best_of", "combinations", "heat_map")


@dataclass(frozen=True, slots=True)
class Asked:
    """The axes as they were typed, and what is written how."""

    specs: tuple[str, ...]
    saves_all: bool
    as_json: bool
    force: bool


def draw_asked(
    context: typer.Context,
    asked: Asked,
    job: PictureJob,
    jobs_of: JobsOf,
    styles: tuple[Mapping[str, Style], Sequence[str]],
    setup: Setup,
) -> None:
    """Draw a matrix.

    Args:
        context: of the command.
        job, jobs_of, styles: as for `make_matrix`.
        setup: what draws.
    Raises:
        BadParameter: an axis cannot be read, or another option does not go with it.
    """
    for name in _APART:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            option = name.replace("_", "-")
            raise typer.BadParameter(f"--matrix and --{option} do not go together")
    axes = read_axes(asked.specs, value_reader(context, _checks(styles[0])))
    if styles[1] and any(axis.name == "style" for axis in axes):
        names = ", ".join(styles[1])
        warn(f"--style {names} is not used: the axis 'style' has the styles of each picture")
    if not job.prompt and not any(axis.name == "prompt" for axis in axes):
        raise typer.BadParameter('a prompt is missing: clipcond generate "a red fox"')
    if job.seed == RANDOM:  # one for all cells
        job = replace(job, seed=randbelow(2**32))
        console.say(f"seed {job.seed}")
    matrix = make_matrix(axes, job, jobs_of, styles)
    targets = targets_of(matrix, job.output, saves_all=asked.saves_all)
    check_targets(targets, force=asked.force)
    writable(targets)
    console.prompts = [
        text for cell in matrix.cells for text in (cell.job.prompt, cell.job.negative)
    ]
    draw_matrix(matrix, setup, job.output, saves_all=asked.saves_all, as_json=asked.as_json)


def _checks(styles: Mapping[str, Style]) -> dict[str, Callable[[str], object]]:
    """List what refuses a value of an axis before anything is loaded."""
    from clipcond.conditioning.dialects import find_dialect
    from clipcond.pipelines.devices import find_device, find_dtype
    from clipcond.pipelines.schedulers import find_scheduler
    from clipcond.weighting import find_normalize, find_rule

    return {
        "style": partial(check_style, known=styles),
        "dialect": find_dialect,
        "weighting": find_rule,
        "normalize": find_normalize,
        "scheduler": find_scheduler,
        "dtype": lambda name: find_dtype(name, find_device(None)),
        "model": _check_source,
        "vae": _check_source,
        "tower": _check_source,
        "adapter": _check_source,
    }


def _check_source(source: str) -> None:
    """Refuse what is no file, folder, name of ours, or id on the Hub, by its form."""
    path = local_path(source.partition("#")[0])
    is_hub_id = source.count("/") == 1 and not source.startswith((".", "~", "/"))
    if source not in NAMES and not path.exists() and not is_hub_id:
        raise CheckpointError(f"there is no file or folder {source!r}", path, near(path))
