"""Find the family of a pipeline: the table of all, and what those get that are in none."""

from __future__ import annotations

from clipcond.errors import PipelineError, UnknownNameError
from clipcond.pipelines.families.alt_diffusion import ALT_DIFFUSION_FAMILIES
from clipcond.pipelines.families.masked import MASKED_FAMILIES
from clipcond.pipelines.families.pooled_only import POOLED_FAMILIES
from clipcond.pipelines.families.priors import PRIOR, PRIOR_OF_STABLE_UNCLIP
from clipcond.pipelines.families.refusals import refusal
from clipcond.pipelines.families.stable_diffusion import STABLE_DIFFUSION_FAMILIES
from clipcond.pipelines.families.stable_diffusion_3 import STABLE_DIFFUSION_3
from clipcond.pipelines.family import Family

# The first whose predicate holds counts.
FAMILIES: tuple[Family, ...] = (
    *ALT_DIFFUSION_FAMILIES,
    *STABLE_DIFFUSION_FAMILIES,
    STABLE_DIFFUSION_3,
    *POOLED_FAMILIES,
    *MASKED_FAMILIES,
    PRIOR,
)

# Methods besides, which few classes have, with text encoders of their own.
COMPANIONS: tuple[Family, ...] = (PRIOR_OF_STABLE_UNCLIP,)


def companions_of(pipe: object) -> list[Family]:
    """Find the further families of a pipeline that encodes text in two places."""
    return [family for family in COMPANIONS if family.has(pipe)]


def family_of(pipe: object) -> Family:
    """Find the family of a diffusers pipeline.

    Raises:
        PipelineError: the pipeline is of no supported family; says what was found, why it is
            refused, and what else can be done.
    """
    for family in FAMILIES:
        if family.has(pipe):
            return family
    raise refusal(pipe)


def family_named(class_name: str) -> Family:
    """Find the family that has the diffusers class `class_name` for a task.

    Raises:
        PipelineError: no task is done by that class.
    """
    for family in FAMILIES:
        if class_name in family.tasks.values():
            return family
    buildable = ", ".join(family.name for family in FAMILIES if family.tasks)
    raise PipelineError(
        f"{class_name} is none of the pipelines that are built here: {buildable}.",
        "Load it with diffusers, then attach(pipe).",
    )


def class_for_task(family: Family, task: str) -> str:
    """Name the diffusers class that does `task`.

    Raises:
        UnknownNameError: no such task.
    """
    if task not in family.tasks:
        raise UnknownNameError("task", task, family.tasks)
    return family.tasks[task]
