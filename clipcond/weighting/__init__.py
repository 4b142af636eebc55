"""Apply weights to hidden states: one function a rule; any callable of that shape will do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.weighting.normalize import (
        NORMALIZATIONS,
        NormalizationName,
        NormalizeChoice,
        find_normalize,
    )
    from clipcond.weighting.rule import Encode, Needs, Normalize, Rule, RuleWithNeeds, by_chunk
    from clipcond.weighting.tables import WEIGHTINGS, WeightingChoice, WeightingName, find_rule
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "normalize": (
                *("NORMALIZATIONS", "NormalizationName", "NormalizeChoice", "find_normalize"),
            ),
            "rule": ("Encode", "Needs", "Normalize", "Rule", "RuleWithNeeds", "by_chunk"),
            "tables": ("WEIGHTINGS", "WeightingChoice", "WeightingName", "find_rule"),
        },
    )

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
