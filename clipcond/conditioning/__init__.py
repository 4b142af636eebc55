"""Turn prompts into what a diffusion model is conditioned on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.conditioning.conditioner import Conditioner
    from clipcond.conditioning.dialects import DIALECTS, Dialect
    from clipcond.conditioning.report import Report
    from clipcond.conditioning.results import Conditioning, Guided
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Conditioner": "conditioner",
            "Conditioning": "results",
            "DIALECTS": "dialects",
            "Dialect": "dialects",
            "Guided": "results",
            "Report": "report",
        },
    )

__all__ = [
    "DIALECTS",
    "Conditioner",
    "Conditioning",
    "Dialect",
    "Guided",
    "Report",
]
