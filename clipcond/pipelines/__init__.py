"""clipcond for diffusers: build a conditioned pipeline, or attach one that exists."""

# Not loaded lazily: the module attach would then stand where the function should.
from clipcond.pipelines.attachment import attach, detach
from clipcond.pipelines.building import build_pipeline

__all__ = ["attach", "build_pipeline", "detach"]
