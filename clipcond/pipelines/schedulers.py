"""Find a diffusers scheduler by the name that A1111, ComfyUI or diffusers gives it.

Source of the table: diffusers' documentation, API / Schedulers / Overview, "A1111/k-diffusion".
What it leaves out (DPM fast, DPM adaptive) diffusers does not have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clipcond.errors import PipelineError, UnknownNameError, first_line
from clipcond.pipelines.protocols import Scheduler
from clipcond.pipelines.verbosity import silent_libraries

_SDE = {"algorithm_type": "sde-dpmsolver++"}
_MULTISTEP, _SINGLESTEP = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"


@dataclass(frozen=True, slots=True)
class SchedulerRow:
    """A name of A1111, the class of diffusers that computes it, and that class's arguments."""

    name: str
    class_name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    has_spacings: bool = True


_ROWS = (
    SchedulerRow("DDIM", "DDIMScheduler", has_spacings=False),
    SchedulerRow("DDPM", "DDPMScheduler", has_spacings=False),
    SchedulerRow("PLMS", "PNDMScheduler", {"skip_prk_steps": True}, has_spacings=False),
    SchedulerRow("LCM", "LCMScheduler", has_spacings=False),
    SchedulerRow("Euler", "EulerDiscreteScheduler"),
    SchedulerRow(
        "Euler a", "EulerAncestralDiscreteScheduler", aliases=("euler ancestral",),
        has_spacings=False,
    ),
    SchedulerRow("Heun", "HeunDiscreteScheduler"),
    SchedulerRow("LMS", "LMSDiscreteScheduler"),
    SchedulerRow("DPM2", "KDPM2DiscreteScheduler"),
    SchedulerRow("DPM2 a", "KDPM2AncestralDiscreteScheduler", aliases=("dpm2 ancestral",)),
    SchedulerRow("DPM++ 2M", _MULTISTEP, {"algorithm_type": "dpmsolver++"}),
    SchedulerRow("DPM++ 2M SDE", _MULTISTEP, _SDE),
    SchedulerRow("DPM++ 3M SDE", _MULTISTEP, {**_SDE, "solver_order": 3}),
    SchedulerRow("DPM++ SDE", _SINGLESTEP, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    SchedulerRow("UniPC", "UniPCMultistepScheduler"),
    SchedulerRow("DEIS", "DEISMultistepScheduler"),
)  # fmt: skip
_SPACINGS = {"Karras": "use_karras_sigmas", "Exponential": "use_exponential_sigmas"}


def _spaced(row: SchedulerRow) -> tuple[SchedulerRow, ...]:
    """List the row, and what it is with another spacing of the noise levels."""
    if not row.has_spacings:
        return (row,)
    return (
        row,
        *(
            SchedulerRow(
                f"{row.name} {label}",
                row.class_name,
                {**row.arguments, argument: True},
                tuple(f"{alias} {label}" for alias in row.aliases),
            )
            for label, argument in _SPACINGS.items()
        ),
    )


def _key(name: str) -> str:
    """Reduce a name to what all tools write alike: "DPM++ 2M" and "dpmpp_2m"."""
    letters = re.sub(r"[\s_-]+", "", name.lower()).replace("dpmpp", "dpm++")
    return letters.removeprefix("k")


_ALL = tuple(each for row in _ROWS for each in _spaced(row))
# Names in A1111's writing, for messages and lists of choices.
SCHEDULERS = tuple(row.name for row in _ALL)
# What belongs to a sampler, not to the model that it samples.
_SAMPLING = {name for row in _ALL for name in row.arguments} | {"use_beta_sigmas"}
_BY_KEY = {
    _key(name): row
    for row in reversed(_ALL)  # of rows of one class, the first has the class's name
    for name in (row.class_name, row.class_name.removesuffix("Scheduler"), *row.aliases, row.name)
}


def find_scheduler(name: str) -> SchedulerRow:
    """Find the row of a scheduler by any of its names.

    Raises:
        UnknownNameError: no scheduler of that name.
    """
    row = _BY_KEY.get(_key(name))
    if row is None:
        raise UnknownNameError("scheduler", name, (each.lower() for each in SCHEDULERS))
    return row


def make_scheduler(name: str, like: Scheduler) -> Scheduler:
    """Make a scheduler for the noise that a model was trained on.

    Args:
        name: a name of `SCHEDULERS`, or as ComfyUI or diffusers write it; the case, spaces,
            hyphens and underscores do not matter.
        like: the model's own scheduler; its training settings (betas, prediction type) are kept,
            and how it samples (solver, spacing of the noise levels) is not.
    Raises:
        UnknownNameError: no scheduler of that name.
        PipelineError: diffusers lacks it, or a library that it needs.
    """
    row = find_scheduler(name)
    config = {key: value for key, value in like.config.items() if key not in _SAMPLING}
    with silent_libraries():
        import diffusers

        scheduler_class: type[Scheduler] | None = getattr(diffusers, row.class_name, None)
        if scheduler_class is None:
            raise PipelineError(f"This diffusers has no {row.class_name}.", "Upgrade diffusers.")
        try:
            return scheduler_class.from_config(config, **row.arguments)
        except ImportError as error:
            reason = str(error).strip().split(" but it was")[0]
            raise PipelineError(
                f"scheduler {row.name!r} cannot be used here: {reason}", "Install it with pip."
            ) from error
        except (ValueError, NotImplementedError) as error:
            raise PipelineError(
                f"scheduler {row.name!r} cannot be used with this model: {first_line(error)}"
            ) from error


def scheduler_name(scheduler: Scheduler) -> str:
    """Name a scheduler as A1111 does, or by its class where A1111 has none."""
    class_name, config = type(scheduler).__name__, scheduler.config
    own = [row for row in _ALL if row.class_name == class_name]
    for row in reversed(own):  # the one with the most arguments that are set
        if all(config.get(name) == value for name, value in row.arguments.items()):
            return row.name
    return class_name.removesuffix("Scheduler")
