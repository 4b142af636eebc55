"""How a weight acts on hidden states. One rule a function; any callable of that shape will do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from clipcond.errors import UnknownNameError
from clipcond.weighting import lerp, lerp_last, masked, normalize, scale, words
from clipcond.weighting.mixing import Mixed
from clipcond.weighting.rule import Encode, Needs, Normalize, Rule, RuleWithNeeds, needs_of

__all__ = [
    "NORMALIZATIONS",
    "WEIGHTINGS",
    "Encode",
    "Mixed",
    "Needs",
    "Normalize",
    "Rule",
    "RuleWithNeeds",
    "find_normalize",
    "find_rule",
    "needs_of",
]

T = TypeVar("T")

WEIGHTINGS: dict[str, Rule] = {
    "none": scale.none,
    "scale": scale.scale,
    "scale_mean": scale.scale_mean,
    "scale_mean_prompt": scale.scale_mean_prompt,
    "lerp": lerp.lerp,
    "lerp_last": lerp_last.lerp_last,
    "masked": masked.masked,
    "removed": masked.removed,
    "comfy++": words.comfy_plus_plus,
    "down_weight": words.down_weight,
    "adv_a1111": scale.scale_mean_prompt,  # so ADV_CLIP_emb reads A1111: one mean, all chunks
    "adv_compel": words.adv_compel,
}

NORMALIZATIONS: dict[str, Normalize] = {
    "none": normalize.none,
    "half": normalize.half,
    "mean": normalize.mean,
    "length": normalize.length,
    "length+mean": normalize.length_mean,
}


def find_rule(rule: str | Rule) -> Rule:
    """A rule by name, or the rule itself.

    Raises:
        UnknownNameError: no such name; says which is meant.
    """
    return _find("weighting rule", rule, WEIGHTINGS)


def find_normalize(normalize: str | Normalize) -> Normalize:
    """A normalisation of weights by name, or the function itself.

    Raises:
        UnknownNameError: no such name; says which is meant.
    """
    return _find("normalisation", normalize, NORMALIZATIONS)


def _find(kind: str, wanted: str | T, known: Mapping[str, T]) -> T:
    if isinstance(wanted, str):
        if wanted not in known:
            raise UnknownNameError(kind, wanted, known)
        return known[wanted]
    if not callable(wanted):
        raise UnknownNameError(kind, wanted, known)
    return wanted
