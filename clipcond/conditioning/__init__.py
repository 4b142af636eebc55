"""Turn prompts into what a diffusion model is conditioned on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.conditioning.comparison import Comparison
    from clipcond.conditioning.conditioner import Conditioner
    from clipcond.conditioning.dialect import Dialect
    from clipcond.conditioning.dialects import DIALECTS
    from clipcond.conditioning.interpolating import slerp
    from clipcond.conditioning.report import Report
    from clipcond.conditioning.results import Conditioning, Guided
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "comparison": ("Comparison",),
            "conditioner": ("Conditioner",),
            "dialect": ("Dialect",),
            "dialects": ("DIALECTS",),
            "interpolating": ("slerp",),
            "report": ("Report",),
            "results": ("Conditioning", "Guided"),
        },
    )

__all__ = [
    "DIALECTS",
    "Comparison",
    "Conditioner",
    "Conditioning",
    "Dialect",
    "Guided",
    "Report",
    "slerp",
]
