"""Turn what a picture was made with into a call of a pipeline, and list what that leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipcond.errors import PipelineError, UnknownNameError, excerpt, warn
from clipcond.pipelines.schedulers import make_scheduler, scheduler_name

if TYPE_CHECKING:
    from clipcond.conditioning.conditioner import Conditioner
    from clipcond.metadata.parameters import Parameters
    from clipcond.pipelines.protocols import ConditionedPipeline, Scheduler

# What A1111 calls the ways that weights act, and our names of the same.
_EMPHASIS = {"Original": "scale_mean", "No norm": "scale", "Ignore": "none", "None": "none"}
# What other tools call the sampler's usual spacing of noise levels.
_USUAL = {"", "automatic", "normal", "uniform", "default"}
# Settings that say where a picture is from, or that no picture depends on.
_SILENT = frozenset(
    "Version, Generator, Dialect, Weighting, Emphasis, Normalize, Created Date, User, Model hash, "
    "VAE hash, Lora hashes, TI hashes, Civitai resources, Civitai metadata, Hashes, Template, "
    "Negative Template, Batch size, Batch pos, NGMS, Sampler, Schedule type".split(", ")
)
_PARTS = frozenset({"Model", "Tower"})


def make_call(parameters: Parameters, pipe: ConditionedPipeline) -> dict[str, Any]:
    """Make the arguments of a call: see `Parameters.call`."""
    import torch

    missing = not_honoured(parameters, pipe)
    if missing:
        warn("this pipeline does otherwise than the picture's file says:\n" + "\n".join(missing))
    set_scheduler(parameters, pipe)
    width, height = parameters.size or (None, None)
    seed = parameters.seed
    call = {
        "prompt": parameters.prompt,
        "negative_prompt": parameters.negative,
        "num_inference_steps": parameters.steps,
        "guidance_scale": parameters.guidance,
        "width": width,
        "height": height,
        "clip_skip": parameters.clip_skip,
        "strength": _number(parameters.others.get("Denoising strength")),
        "generator": None if seed is None else torch.Generator("cpu").manual_seed(seed % 2**64),
    }
    accepted = signature(type(pipe).__call__).parameters
    return {
        name: value
        for name, value in call.items()
        if value is not None and (name in accepted or name == "clip_skip")
    }


def not_honoured(parameters: Parameters, pipe: ConditionedPipeline) -> list[str]:
    """List the settings that a call does not follow: see `Parameters.not_honoured`."""
    conditioner: Conditioner | None = getattr(pipe, "conditioner", None)
    if conditioner is None:
        raise PipelineError(
            f"this {type(pipe).__name__} does not read prompts with clipcond",
            "Say attach(pipe) first.",
        )
    return [
        *_of_reading(parameters, conditioner),
        *_of_sampling(parameters, pipe),
        *_of_others(parameters, pipe),
    ]


def set_scheduler(parameters: Parameters, pipe: ConditionedPipeline) -> None:
    """Give a pipeline the scheduler that the settings name, if diffusers has it."""
    if parameters.sampler is not None and not _is_own(parameters, pipe):
        pipe.scheduler = _scheduler_of(parameters, pipe) or pipe.scheduler


def _of_reading(parameters: Parameters, conditioner: Conditioner) -> Iterator[str]:
    others, dialect = parameters.others, conditioner.dialect
    written = others.get("Dialect", "a1111")
    if written != dialect.name:
        yield (
            f"The prompt is in the dialect {written}; this pipeline reads {dialect.name}. "
            f'Say dialect="{written}".'
        )
    weighting = others.get("Weighting") or _EMPHASIS.get(others.get("Emphasis", ""))
    own = getattr(dialect.weighting, "__name__", dialect.weighting)
    if weighting not in {None, own}:
        yield f'Weights act by {weighting}; here by {own}. Say weighting="{weighting}".'
    named = others.get("TI hashes", "").split(", ")
    names = [each.partition(":")[0].strip() for each in named if each.strip()]
    absent = [name for name in names if name not in conditioner.inversions]
    if absent:
        yield f"Embeddings that are not loaded: {', '.join(absent)}."


def _of_sampling(parameters: Parameters, pipe: ConditionedPipeline) -> Iterator[str]:
    if parameters.sampler is not None and not _is_own(parameters, pipe):
        if _scheduler_of(parameters, pipe) is None:
            yield (
                f"Sampler {_sampler(parameters)!r}, which diffusers does not have; the pipeline's "
                f"{scheduler_name(pipe.scheduler)} is used."
            )
        elif str(parameters.schedule_type).lower() == "automatic":
            yield (
                f"Schedule type Automatic: which one that was for {parameters.sampler} is not "
                "written; diffusers' usual one is used."
            )
    ours = parameters.others.get("Version", "").startswith("clipcond")
    if not ours and parameters.seed is not None and parameters.others.get("RNG") != "CPU":
        yield "Noise: drawn on the CPU here, by A1111 on the GPU unless its file says RNG: CPU."


def _of_others(parameters: Parameters, pipe: ConditionedPipeline) -> Iterator[str]:
    honoured = {*_SILENT}
    if "strength" in signature(type(pipe).__call__).parameters:
        honoured.add("Denoising strength")
    for name, value in parameters.others.items():
        is_same = name in _PARTS and value in _names_of(pipe)
        if not (name in honoured or is_same or (name, value) == ("RNG", "CPU")):
            yield f"{name}: {excerpt(value)}"


def _names_of(pipe: ConditionedPipeline) -> set[str]:
    """List what the pipeline, and the towers that read its prompts, are called."""
    paths = [Path(str(pipe.config.get("_name_or_path")))]
    towers = {tower.name for tower in pipe.conditioner.towers}
    return {*towers, *(name for path in paths for name in (*path.parts, path.stem))}


def _scheduler_of(parameters: Parameters, pipe: ConditionedPipeline) -> Scheduler | None:
    """Make the scheduler that the picture was made with; None = diffusers has none such."""
    try:
        return make_scheduler(_sampler(parameters), pipe.scheduler)
    except (UnknownNameError, PipelineError):
        return None


def _is_own(parameters: Parameters, pipe: ConditionedPipeline) -> bool:
    """Whether the pipeline's scheduler has the name already; its settings are kept then."""
    return _sampler(parameters).lower() == scheduler_name(pipe.scheduler).lower()


def _sampler(parameters: Parameters) -> str:
    """Name the sampler with its schedule type, unless that is the usual one."""
    kind = str(parameters.schedule_type or "")
    return f"{parameters.sampler} {kind}" if kind.lower() not in _USUAL else str(parameters.sampler)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value <= 1 else None
