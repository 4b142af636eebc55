"""clipcond for diffusers: build a conditioned pipeline, or attach one; trace what it draws."""

from typing import TYPE_CHECKING

# Not loaded lazily: with `lazy_names` a submodule could hide a function of its name.
from clipcond.lazy import lazy_names
from clipcond.pipelines.attaching import attach, detach
from clipcond.pipelines.building import build_pipeline
from clipcond.pipelines.regions.region import Region, regional

if TYPE_CHECKING:
    from clipcond.pipelines.heat_maps import HeatMap, trace
else:  # they import diffusers' models, which takes seconds
    __getattr__, __dir__ = lazy_names(__name__, {"heat_maps": ("HeatMap", "trace")})

__all__ = ["HeatMap", "Region", "attach", "build_pipeline", "detach", "regional", "trace"]
