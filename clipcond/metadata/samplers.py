"""Find the scheduler that a picture was made with, by the names of webui's samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.errors import UnknownNameError
from clipcond.pipelines.schedulers import (
    EVEN,
    SPACINGS,
    find_scheduler,
    lent_scheduler,
    own_scheduler,
    sampler_and_schedule_type,
    scheduler_name,
)

if TYPE_CHECKING:
    from clipcond.metadata.parameters import Parameters
    from clipcond.pipelines.protocols import ConditionedPipeline, Scheduler

_OF_K_DIFFUSION = {"ComfyUI", "Fooocus", "SwarmUI"}  # besides A1111 and its like
_WITHOUT_NOISE = frozenset(("PLMS", "Euler", "Heun", "LMS", "DPM2", "DPM++ 2M", "UniPC", "DEIS"))
SPACING = "Timestep spacing"  # ours, where A1111 has no name for the schedule type


def is_a1111(parameters: Parameters) -> bool:
    """Whether the settings are of A1111 or its like; without steps they are nobody's."""
    generator = parameters.others.get("Generator")
    return parameters.steps is not None and not is_own(parameters) and generator is None


def is_of_k_diffusion(parameters: Parameters) -> bool:
    """Whether a tool wrote the settings whose samplers are k-diffusion's."""
    return is_a1111(parameters) or parameters.others.get("Generator") in _OF_K_DIFFUSION


def ends_above(parameters: Parameters) -> bool:
    """Whether diffusers' sampler ends above the noise level at which k-diffusion's does.

    Source: diffusers, `DPMSolverMultistepScheduler.set_timesteps`: "linspace" lacks its last step.
    """
    if not is_of_k_diffusion(parameters) or written_spacing(parameters) is not None:
        return False
    try:
        row = find_scheduler(str(parameters.sampler))
    except UnknownNameError:
        return False
    is_plain = is_even(parameters) and row.schedule_type is None
    return is_plain and row.class_name.startswith("DPMSolver")


def is_own(parameters: Parameters) -> bool:
    """Whether the settings are of clipcond."""
    return parameters.others.get("Version", "").startswith("clipcond")


def scheduler_of(parameters: Parameters, pipe: ConditionedPipeline) -> Scheduler:
    """Make the scheduler that the picture was made with; the pipeline's own if that is the same.

    Raises:
        UnknownNameError, PipelineError: diffusers has none such, or it cannot be used here.
    """
    own, spacing = own_scheduler(pipe), spacing_of(parameters)
    name = sampler_of(parameters, own)
    is_named = parameters.sampler is not None or parameters.schedule_type is not None
    is_same = name.lower() == scheduler_name(own).lower()
    if not is_named or (is_same and spacing in {None, own.config.get("timestep_spacing")}):
        return own
    return lent_scheduler(pipe, name, spacing)


def sampler_of(parameters: Parameters, own: Scheduler) -> str:
    """Name the sampler, by default the pipeline's, with its schedule type unless that is even."""
    sampler = parameters.sampler or sampler_and_schedule_type(own)[0]
    kind = str(parameters.schedule_type or "")
    return sampler if kind.lower() in EVEN else f"{sampler} {kind}"


def usual_etas(parameters: Parameters, own: Scheduler) -> tuple[int, ...]:
    """List the values of eta, how much noise a sampler adds, with which diffusers' draws the same.

    Ancestral and SDE samplers add it by 1, DDIM by 0; those without noise do not read eta.

    Args:
        own: the pipeline's scheduler, which draws where no sampler is named.
    """
    try:
        sampler = find_scheduler(sampler_of(parameters, own)).sampler
    except UnknownNameError:
        return (1,)
    return {"DDIM": (0,)}.get(sampler, (0, 1) if sampler in _WITHOUT_NOISE else (1,))


def is_even(parameters: Parameters) -> bool:
    return str(parameters.schedule_type or "").lower() in EVEN


def is_left_open(parameters: Parameters) -> bool:
    """Whether a sampler that diffusers has spaces its noise levels as its own code does."""
    try:
        row = find_scheduler(str(parameters.sampler))
    except UnknownNameError:
        return False
    is_said = "timestep_spacing" in row.arguments
    return is_even(parameters) and spacing_of(parameters) is None and not is_said


def written_spacing(parameters: Parameters) -> str | None:
    """Read the spacing that a file of ours names; None = none that diffusers has."""
    written = parameters.others.get(SPACING)
    return written if written in SPACINGS else None


def spacing_of(parameters: Parameters) -> str | None:
    """Choose diffusers' spacing: as written, else that of A1111 for the samplers of k-diffusion.

    Theirs goes from the largest to the smallest noise level of the model, with any schedule type;
    diffusers' begins and ends its Karras, Exponential and Beta where the spacing does.

    Source: k-diffusion, `CompVisDenoiser.get_sigmas` and `get_sigmas_karras`.
    """
    written = written_spacing(parameters)
    if written is not None or not is_of_k_diffusion(parameters):
        return written
    kind = "" if is_even(parameters) else f" {parameters.schedule_type}"
    try:
        row = find_scheduler(f"{parameters.sampler}{kind}")
    except UnknownNameError:
        return None
    is_k = row.has_spacings or row.sampler == "Euler a" or row.schedule_type is not None
    is_k &= row.sampler not in {"DDIM", "DDPM", "PLMS", "LCM", "UniPC", "DEIS"}
    return "linspace" if is_k and "timestep_spacing" not in row.arguments else None
