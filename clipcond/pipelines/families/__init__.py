"""Which diffusers pipelines read CLIP text, and how: one table row a family."""

from clipcond.pipelines.families.stable_diffusion import STABLE_DIFFUSION, STABLE_DIFFUSION_XL
from clipcond.pipelines.families.table import (
    class_for_task,
    companions_of,
    family_named,
    family_of,
)
from clipcond.pipelines.family import Family

__all__ = [
    "STABLE_DIFFUSION",
    "STABLE_DIFFUSION_XL",
    "Family",
    "class_for_task",
    "companions_of",
    "family_named",
    "family_of",
]
