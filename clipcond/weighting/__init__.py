"""How a weight acts on hidden states. One rule a function; any callable of that shape will do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from clipcond.errors import UnknownNameError
from clipcond.weighting import lerp, lerp_last, normalize, scale
from clipcond.weighting.rule import Encode, Needs, Normalize, Rule, RuleWithNeeds

__all__ = [
    "NORMALIZATIONS",
    "WEIGHTINGS",
    "Encode",
    "Needs",
    "Normalize",
    "Rule",
    "RuleWithNeeds",
    "find_normalize",
    "find_rule",
]

T = TypeVar("T")

WEIGHTINGS: dict[str, Rule] = {
    "none": scale.none,
    "scale": scale.scale,
    "scale_mean": scale.scale_mean,
    "scale_mean_prompt": scale.scale_mean_prompt,
    "lerp": lerp.lerp,
    "lerp_last": lerp_last.lerp_last,
}

NORMALIZATIONS: dict[str, Normalize] = {
    "none": normalize.none,
    "half": normalize.half,
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
