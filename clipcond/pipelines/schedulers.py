"""Find a diffusers scheduler by the name that A1111, ComfyUI or diffusers gives it.

Source of the tables: diffusers' documentation, API / Schedulers / Overview, "A1111/k-diffusion" and
"Noise schedules and schedule types". What they leave out (DPM fast, DPM adaptive; KL optimal, Align
your steps) diffusers does not have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from clipcond.errors import PipelineError, UnknownNameError, first_line, warn
from clipcond.pipelines.protocols import ConditionedPipeline, Scheduler
from clipcond.pipelines.verbosity import silent_libraries

_SDE = {"algorithm_type": "sde-dpmsolver++"}
_MULTISTEP, _SINGLESTEP = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"


@dataclass(frozen=True, slots=True)
class SchedulerRow:
    """A name of A1111, the class of diffusers that computes it, and that class's arguments.

    A1111 up to 1.8 has one name for sampler and schedule type, "DPM++ 2M Karras"; since then they
    are apart.
    """

    sampler: str
    class_name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    has_spacings: bool = True
    schedule_type: str | None = None

    @property
    def name(self) -> str:
        """Sampler and schedule type."""
        return " ".join(filter(None, (self.sampler, self.schedule_type)))


# The samplers of A1111.
ROWS = (
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
    SchedulerRow("DPM++ 2M SDE Heun", _MULTISTEP, {**_SDE, "solver_type": "heun"}),
    SchedulerRow("DPM++ 3M SDE", _MULTISTEP, {**_SDE, "solver_order": 3}),
    SchedulerRow("DPM++ SDE", _SINGLESTEP, {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    SchedulerRow("UniPC", "UniPCMultistepScheduler", aliases=("uni_pc_bh2",)),
    SchedulerRow("DEIS", "DEISMultistepScheduler"),
)  # fmt: skip
# What tools call noise levels that are spaced evenly; A1111's "Automatic" is often that.
EVEN = frozenset({"", "automatic", "normal", "uniform", "default"})
SPACINGS = ("linspace", "leading", "trailing")  # diffusers' `timestep_spacing`
_TRAILING = {"timestep_spacing": "trailing"}
_SIGMAS = {
    "Karras": {"use_karras_sigmas": True},
    "Exponential": {"use_exponential_sigmas": True},
    "Beta": {"use_beta_sigmas": True},
}


def with_schedule_types(row: SchedulerRow) -> tuple[SchedulerRow, ...]:
    """List the row, and what it is with other spacings of the noise levels."""
    spacings: dict[str, Mapping[str, Any]] = {**_SIGMAS} if row.has_spacings else {}
    if row.class_name != _SINGLESTEP:
        spacings |= {"SGM Uniform": _TRAILING}
    return (
        row,
        *(
            SchedulerRow(
                row.sampler,
                row.class_name,
                {**row.arguments, **arguments},
                (
                    *(f"{alias} {label}" for alias in row.aliases),
                    *((f"{row.sampler} Simple",) if arguments is _TRAILING else ()),
                ),
                schedule_type=label,
            )
            for label, arguments in spacings.items()
        ),
    )


def _key(name: str) -> str:
    """Reduce a name to what all tools write alike: "DPM++ 2M" and "dpmpp_2m"."""
    letters = re.sub(r"[\s_-]+", "", name.lower()).replace("dpmpp", "dpm++")
    return letters.removeprefix("k").replace("gpu", "")  # ComfyUI: on which it draws noise


_ALL = tuple(each for row in ROWS for each in with_schedule_types(row))
# Names in A1111's writing, for messages and lists of choices.
SCHEDULERS = tuple(row.name for row in _ALL)
# What belongs to a sampler, not to the model that it samples.
_SAMPLING = {name for row in _ALL for name in row.arguments} - {*_TRAILING}
# An attribute of what is made here: the settings of the model's own scheduler.
_OWN = "_clipcond_own_config"
# An attribute of what a pipeline was lent: its own scheduler, and what was asked for.
_LENT = "_clipcond_lent_for"
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
    key = _key(name)
    evenly = (key.removesuffix(kind) for kind in EVEN if key.endswith(kind))
    row = next((_BY_KEY[each] for each in (key, *evenly) if each in _BY_KEY), None)
    if row is None:
        names = [each.lower() for each in SCHEDULERS]
        near = get_close_matches(name[:100].lower(), names, 1)
        raise UnknownNameError("scheduler", name, {*near, *(row.sampler.lower() for row in ROWS)})
    return row


def make_scheduler(name: str, like: Scheduler, spacing: str | None = None) -> Scheduler:
    """Make a scheduler for the noise that a model was trained on.

    Args:
        name: a name of `SCHEDULERS`, or as ComfyUI or diffusers write it; the case, spaces,
            hyphens and underscores do not matter.
        like: the model's own scheduler; its training settings (betas, prediction type) are kept,
            and how it samples (solver, spacing of the noise levels) is not.
        spacing: diffusers' `timestep_spacing` where the name says none: "linspace", "leading" or
            "trailing"; None = the model's own.
    Raises:
        UnknownNameError: no scheduler of that name.
        PipelineError: diffusers lacks it, or a library that it needs.
    """
    row = find_scheduler(name)
    if _key(name).endswith("automatic"):
        warn(f"schedule type Automatic: which one that is for {row.sampler} is not known")
    own: Mapping[str, Any] = getattr(like, _OWN, like.config)
    config = {key: value for key, value in own.items() if key not in _SAMPLING}
    arguments = {**({} if spacing is None else {"timestep_spacing": spacing}), **row.arguments}
    with silent_libraries():
        import diffusers

        scheduler_class: type[Scheduler] | None = getattr(diffusers, row.class_name, None)
        if scheduler_class is None:
            raise PipelineError(f"This diffusers has no {row.class_name}.", "Upgrade diffusers.")
        try:
            made = scheduler_class.from_config(config, **arguments)
        except ImportError as error:
            reason = str(error).strip().split(" but it was")[0]
            raise PipelineError(
                f"scheduler {row.name!r} cannot be used here: {reason}", "Install it with pip."
            ) from error
        except (ValueError, NotImplementedError) as error:
            raise PipelineError(
                f"scheduler {row.name!r} cannot be used with this model: {first_line(error)}"
            ) from error
    setattr(made, _OWN, own)
    return made


def own_scheduler(pipe: ConditionedPipeline) -> Scheduler:
    """Return the scheduler that a pipeline has, or had before it was lent another."""
    own: Scheduler = getattr(pipe.scheduler, _LENT, (pipe.scheduler,))[0]
    return own


def lent_scheduler(pipe: ConditionedPipeline, name: str, spacing: str | None) -> Scheduler:
    """Make a scheduler for a pipeline, or return the one it has been lent if that is the same.

    Args:
        name, spacing: as `make_scheduler` takes them.
    Raises:
        UnknownNameError, PipelineError: as `make_scheduler` does.
    """
    current: Scheduler = pipe.scheduler
    asked = own_scheduler(pipe), name, spacing
    if getattr(current, _LENT, None) == asked:
        return current
    made = make_scheduler(name, asked[0], spacing)
    setattr(made, _LENT, asked)
    return made


def scheduler_name(scheduler: Scheduler) -> str:
    """Name a scheduler as A1111 does, or by its class where A1111 has none."""
    return " ".join(filter(None, sampler_and_schedule_type(scheduler)))


def sampler_and_schedule_type(scheduler: Scheduler) -> tuple[str, str | None]:
    """Name a scheduler as A1111 does since 1.9; None = the sampler's usual schedule type."""
    class_name, config = type(scheduler).__name__, scheduler.config
    fitting = [
        row
        for row in _ALL
        if row.class_name == class_name
        and all(config.get(name) == value for name, value in row.arguments.items())
    ]
    if not fitting:
        return class_name.removesuffix("Scheduler"), None
    row = max(fitting, key=lambda row: len(row.arguments))
    return row.sampler, row.schedule_type
