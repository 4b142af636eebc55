"""Apply weights to hidden states: one function a rule; any callable of that shape will do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, TypeVar

from clipcond.errors import UnknownNameError
from clipcond.weighting import (
    adv_clip_emb,
    interpolation,
    interpolation_last,
    masking,
    normalize,
    scaling,
)
from clipcond.weighting.rule import Encode, Needs, Normalize, Rule, RuleWithNeeds, by_chunk

__all__ = [
    "NORMALIZATIONS",
    "WEIGHTINGS",
    "Encode",
    "Needs",
    "NormalizationName",
    "Normalize",
    "NormalizeChoice",
    "Rule",
    "RuleWithNeeds",
    "WeightingChoice",
    "WeightingName",
    "by_chunk",
    "find_normalize",
    "find_rule",
]

T = TypeVar("T")

# The keys of the two tables, for editors and type checkers.
# fmt: off
WeightingName: TypeAlias = Literal[
    "none", "scale", "scale_mean", "scale_mean_prompt", "lerp", "lerp_last", "masked", "removed",
    "comfy++", "down_weight", "adv_a1111", "adv_compel",
]
# fmt: on
NormalizationName: TypeAlias = Literal["none", "half", "mean", "length", "length+mean"]
WeightingChoice: TypeAlias = WeightingName | Rule
NormalizeChoice: TypeAlias = NormalizationName | Normalize

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

NORMALIZATIONS: dict[str, Normalize | None] = {
    "none": None,  # weights stay as written
    "half": normalize.half,
    "mean": normalize.mean,
    "length": normalize.length,
    "length+mean": normalize.length_mean,
}


def find_rule(rule: str | Rule) -> Rule:
    """Find a rule by name; a rule itself comes back as it is.

    Raises:
        UnknownNameError: there is no such name; suggests the nearest.
    """
    return _find("weighting rule", rule, WEIGHTINGS)


def find_normalize(normalize: str | Normalize) -> Normalize | None:
    """Find a normalization of weights by name; a function itself comes back as it is.

    Returns:
        the function; None for "none".
    Raises:
        UnknownNameError: there is no such name; suggests the nearest.
    """
    return _find("normalization", normalize, NORMALIZATIONS)


def _find(kind: str, wanted: str | T, known: Mapping[str, T]) -> T:
    if isinstance(wanted, str) and wanted in known:
        return known[wanted]
    if isinstance(wanted, str) or not callable(wanted):
        raise UnknownNameError(kind, wanted, known)
    return wanted
