"""Open a pipeline to draw with, and list what a picture was drawn with, for its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clipcond import __version__
from clipcond.conditioning.dialects import DIALECTS, find_dialect
from clipcond.conditioning.inversions import load_file
from clipcond.metadata.parameters import Parameters
from clipcond.metadata.readings import LITERAL
from clipcond.metadata.samplers import SPACING
from clipcond.pipelines.building import build_pipeline
from clipcond.pipelines.schedulers import (
    find_scheduler,
    make_scheduler,
    sampler_and_schedule_type,
)

if TYPE_CHECKING:
    from clipcond.pipelines.protocols import ConditionedPipeline


class Opened(NamedTuple):
    """A pipeline, and what its pictures' files say of how it was built.

    Args:
        inversions: the hash of each one's file, or "", by its name.
    """

    pipe: ConditionedPipeline
    built_with: dict[str, object]
    inversions: dict[str, str]


def open_pipeline(
    model: str | PathLike[str] | None,
    scheduler: str | None,
    inversions: Sequence[Path],
    choices: Mapping[str, Any],
) -> Opened:
    """Build a pipeline to draw with.

    Args:
        scheduler: a sampler's name; None = the model's own.
        inversions: files of textual inversions.
        choices: arguments of `build_pipeline`, by their names.
    """
    # a typing error should not cost the minutes that loading takes
    dialect = find_dialect(choices.get("dialect", "a1111"))
    if scheduler is not None:
        find_scheduler(scheduler)
    pipe = build_pipeline(model, **{**choices, "dialect": dialect})
    if scheduler is not None:
        pipe.scheduler = make_scheduler(scheduler, pipe.scheduler)
    hashes: dict[str, str] = {}
    for file in inversions:
        found = load_file(pipe.conditioner, file, allow_pickle=choices.get("allow_pickle", False))
        hashes |= found
    pipe.set_progress_bar_config(disable=True)
    adapter, vae = choices.get("adapter"), choices.get("vae")
    named = {
        "Model": "embedded" if model is None else Path(model).stem,
        "Tower": choices.get("tower"),
        "Adapter": None if adapter is None else Path(adapter).stem,
        "VAE": None if vae is None else Path(vae).stem,
        **named_reading(choices),
    }
    return Opened(pipe, named, hashes)


def named_reading(choices: Mapping[str, Any]) -> dict[str, object]:
    """Name the choices of reading as a picture's file does; the dialect is added there."""
    return {
        "Weighting": choices.get("weighting"),
        "Normalize": choices.get("normalize"),
        "Full-width": choices.get("fullwidth"),
        "Extra networks": False if choices.get("extra_networks") is False else None,
    }


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
    dialect = conditioner.dialect
    usual = DIALECTS.get(dialect.name, dialect)
    if dialect.syntax == "plain" and usual.syntax != "plain":
        built["Emphasis"] = LITERAL
    named = {"Dialect": dialect.name, "Version": f"clipcond {__version__}"}
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
