"""Text conditioning for diffusion pipelines.

Clip skip, long prompts, weighted tokens in the dialects of the well-known tools, and swappable CLIP
towers. Names are loaded on first use: `import clipcond` alone imports neither torch nor diffusers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipcond.lazy import lazy_names

if TYPE_CHECKING:
    from clipcond.checkpoints.opening import load_tower
    from clipcond.conditioning.conditioner import Conditioner
    from clipcond.conditioning.dialect import Dialect
    from clipcond.conditioning.dialects import DIALECTS
    from clipcond.conditioning.interpolating import slerp
    from clipcond.conditioning.report import Report
    from clipcond.conditioning.results import Conditioning, Guided
    from clipcond.pipelines import attach, build_pipeline, detach
    from clipcond.prompt import Template, compose, convert, parse, schedule
    from clipcond.towers.base import HiddenLayer, TextTower
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "checkpoints.opening": ("load_tower",),
            "conditioning.conditioner": ("Conditioner",),
            "conditioning.dialect": ("Dialect",),
            "conditioning.dialects": ("DIALECTS",),
            "conditioning.interpolating": ("slerp",),
            "conditioning.report": ("Report",),
            "conditioning.results": ("Conditioning", "Guided"),
            "pipelines": ("attach", "build_pipeline", "detach"),
            "prompt": ("Template", "compose", "convert", "parse", "schedule"),
            "towers.base": ("HiddenLayer", "TextTower"),
        },
    )

__version__ = "0.2.0"

__all__ = [
    "DIALECTS",
    "Conditioner",
    "Conditioning",
    "Dialect",
    "Guided",
    "HiddenLayer",
    "Report",
    "Template",
    "TextTower",
    "__version__",
    "attach",
    "build_pipeline",
    "compose",
    "convert",
    "detach",
    "load_tower",
    "parse",
    "schedule",
    "slerp",
]
