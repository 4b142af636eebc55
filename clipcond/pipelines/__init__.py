"""clipcond for diffusers: build a conditioned pipeline, or attach one that exists."""

# Not loaded lazily: with `lazy_names` a submodule could hide a function of its name.
from clipcond.pipelines.attaching import attach, detach
from clipcond.pipelines.building import build_pipeline
from clipcond.pipelines.heat_maps import HeatMap, trace
from clipcond.pipelines.regions.region import Region, regional

__all__ = ["HeatMap", "Region", "attach", "build_pipeline", "detach", "regional", "trace"]
