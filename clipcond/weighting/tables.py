"""List the weighting rules by name."""

from __future__ import annotations

from typing import Literal, TypeAlias

from clipcond.weighting import (
    adv_clip_emb,
    interpolation,
    interpolation_last,
    masking,
    scaling,
)
from clipcond.weighting.rule import Rule, find_by_name

# The keys of the table, for editors and type checkers.
# fmt: off
WeightingName: TypeAlias = Literal[
    "none", "scale", "scale_mean", "scale_mean_prompt", "lerp", "lerp_last", "masked", "removed",
    "comfy++", "down_weight", "adv_a1111", "adv_compel",
]
# fmt: on
WeightingChoice: TypeAlias = WeightingName | Rule

WEIGHTINGS: dict[str, Rule] = {
    "none": scaling.unweighted,
    "scale": scaling.scale,
    "scale_mean": scaling.scale_mean,
    "scale_mean_prompt": scaling.scale_mean_prompt,
    "lerp": interpolation.lerp,
    "lerp_last": interpolation_last.lerp_last,
    "masked": masking.masked,
    "removed": masking.removed,
    "comfy++": adv_clip_emb.comfy_plus_plus,
    "down_weight": adv_clip_emb.down_weight,
    "adv_a1111": scaling.scale_mean_prompt,  # ADV_CLIP_emb takes one mean over all chunks
    "adv_compel": adv_clip_emb.adv_compel,
}


def find_rule(rule: str | Rule) -> Rule:
    """Find a rule by name; a rule itself comes back as it is.

    Raises:
        UnknownNameError: there is no such name; suggests the nearest.
    """
    return find_by_name("weighting rule", rule, WEIGHTINGS)
