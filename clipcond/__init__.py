"""Text conditioning for diffusion pipelines.

Clip skip, long prompts, weighted tokens in the dialects of the well-known tools, and swappable CLIP
towers. Names are loaded on first use: `import clipcond` alone imports neither torch nor diffusers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipcond.conditioner import Conditioner, Conditioning, Guided
    from clipcond.dialects import Dialect
    from clipcond.pipelines import attach, build_pipeline, detach
    from clipcond.prompt import compose, parse, schedule
    from clipcond.report import Report
    from clipcond.towers import HiddenLayer, TextTower, load_tower

__version__ = "0.1.0"

_HOMES = {
    "Conditioner": "conditioner",
    "Conditioning": "conditioner",
    "Dialect": "dialects",
    "Guided": "conditioner",
    "HiddenLayer": "towers",
    "Report": "report",
    "TextTower": "towers",
    "attach": "pipelines",
    "build_pipeline": "pipelines",
    "compose": "prompt",
    "detach": "pipelines",
    "load_tower": "towers",
    "parse": "prompt",
    "schedule": "prompt",
}

__all__ = [
    "Conditioner",
    "Conditioning",
    "Dialect",
    "Guided",
    "HiddenLayer",
    "Report",
    "TextTower",
    "__version__",
    "attach",
    "build_pipeline",
    "compose",
    "detach",
    "load_tower",
    "parse",
    "schedule",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
