"""List what a picture was drawn with, for its file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clipcond import __version__
from clipcond.metadata.parameters import Parameters
from clipcond.metadata.samplers import SPACING
from clipcond.pipelines.schedulers import sampler_and_schedule_type

if TYPE_CHECKING:
    from clipcond.pipelines.protocols import ConditionedPipeline


def parameters_of(
    pipe: ConditionedPipeline,
    call: Mapping[str, Any],
    prompts: tuple[str, str],
    seed: int,
    built_with: Mapping[str, object],
    inversions: Mapping[str, str] | None = None,
) -> Parameters:
    """List what the picture's file says of how it was drawn.

    Args:
        call: arguments of the pipeline's call: num_inference_steps, guidance_scale, width, height
            and, where they were given, clip_skip and regions.
        prompts: prompt and negative as they were written.
        built_with: further settings by the name that the file has for them; None = left out.
        inversions: the hash of each one's file, or "", by its name; those that the prompts use are
            written.
    """
    conditioner = pipe.conditioner
    sampler, schedule_type = sampler_and_schedule_type(pipe.scheduler)
    built = {name: str(value) for name, value in built_with.items() if value is not None}
    spacing = pipe.scheduler.config.get("timestep_spacing")
    if schedule_type is None and spacing is not None:
        built[SPACING] = spacing
    dtype = str(pipe.unet.dtype).removeprefix("torch.")
    if dtype != "float32":
        built["Precision"] = dtype
    regions = call.get("regions") or ()
    if inversions:
        texts = [prompts, *((each.prompt, each.negative or "") for each in regions)]
        used = {name for pair in texts for name in conditioner.inversions_in(*pair)}
        hashes = (f"{name}: {inversions[name]}" for name in inversions if name in used)
        built |= {"TI hashes": text} if (text := ", ".join(hashes)) else {}
    named = {"Dialect": conditioner.dialect.name, "Version": f"clipcond {__version__}"}
    return Parameters(
        *prompts,
        steps=call["num_inference_steps"],
        sampler=sampler,
        schedule_type=schedule_type,
        guidance=call["guidance_scale"],
        seed=seed,
        size=(call["width"], call["height"]),
        clip_skip=call.get("clip_skip", conditioner.clip_skip),
        others={**built, **named},
    )
