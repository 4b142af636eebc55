"""Turn what a picture was made with into a call of a pipeline, and list what that leaves out."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipcond.errors import PipelineError, UnknownNameError, excerpt, first_line, warn
from clipcond.metadata.comfyui_encoders import OF_ENCODERS, encoders_not_honoured
from clipcond.metadata.comfyui_graph import LAST, LAST_OF_SOME, STOPS
from clipcond.metadata.comfyui_joins import JOINED, joins_not_honoured
from clipcond.metadata.layers import clip_skip_of, layers_not_honoured
from clipcond.metadata.readings import otherwise_read, unknown_readings
from clipcond.metadata.regions import (
    MASKS,
    REGIONS,
    SHARE,
    base_share_of,
    region_texts_of,
    regions_not_honoured,
    settings_here,
)
from clipcond.metadata.samplers import (
    SPACING,
    ends_above,
    is_a1111,
    is_left_open,
    is_of_k_diffusion,
    is_own,
    sampler_of,
    scheduler_of,
    usual_etas,
)
from clipcond.pipelines.regions.region import regional
from clipcond.pipelines.schedulers import (
    SPACINGS,
    own_scheduler,
    sampler_and_schedule_type,
    scheduler_name,
)

if TYPE_CHECKING:
    from clipcond.conditioning.conditioner import Conditioner
    from clipcond.metadata.parameters import Parameters
    from clipcond.pipelines.protocols import ConditionedPipeline, Scheduler

# Settings that say where a picture is from, that no picture depends on, or that are looked at here.
_SILENT = frozenset(
    "Version, Generator, Dialect, Weighting, Emphasis, Normalize, Created Date, User, Model hash, "
    "VAE hash, Civitai metadata, Template, Negative Template, Batch size, Batch pos, TI hashes, "
    "Schedule type, Full-width, Extra networks, Precision, app_version, "
    f"{REGIONS}, {SHARE}, {MASKS}".split(", ")
).union(OF_ENCODERS, JOINED.values())
# Settings that are followed, if they have one of these values.
_FOLLOWED = {SPACING: SPACINGS, **dict.fromkeys(STOPS, (LAST, LAST_OF_SOME))}
_OFF = {"", "None", "[]", "{}", "False"}
_STRENGTHS = ("Denoising strength", "denoise", "strength")
# The numbers that change nothing; 0 is a strength that draws nothing.
_USUAL = {**dict.fromkeys(_STRENGTHS, (1,)), "noise": (0,), "Tiling": (0,)}


def make_call(parameters: Parameters, pipe: ConditionedPipeline) -> dict[str, Any]:
    """Make the arguments of a call: see `Parameters.call`."""
    import torch

    missing = not_honoured(parameters, pipe)
    if missing:
        warn("this pipeline does otherwise than the picture's file says:\n" + "\n".join(missing))
    set_scheduler(parameters, pipe)
    width, height = parameters.size or (None, None)
    seed = parameters.seed
    others = settings_here(parameters)
    call = {
        "prompt": parameters.prompt,
        "negative_prompt": parameters.negative,
        "num_inference_steps": parameters.steps,
        "guidance_scale": parameters.guidance,
        "width": width,
        "height": height,
        "clip_skip": clip_skip_of(parameters, pipe.conditioner),
        "strength": _strength(parameters),
        "generator": None if seed is None else torch.Generator("cpu").manual_seed(seed),
        "regions": regional(*region_texts_of(others)) or None,
        "base_share": base_share_of(others),
    }
    accepted = {*_accepted(pipe), "clip_skip"}
    return {name: value for name, value in call.items() if value is not None and name in accepted}


def not_honoured(
    parameters: Parameters,
    pipe: ConditionedPipeline,
    *,
    is_read_so: bool = False,
    conditioner: Conditioner | None = None,
) -> list[str]:
    """List the settings that a call does not follow: see `Parameters.not_honoured`.

    Args:
        is_read_so: whether the pipeline was built as the settings say prompts are read.
        conditioner: the one that will read the prompts; None = the pipeline's.
    """
    reads: Conditioner | None = conditioner or getattr(pipe, "conditioner", None)
    if reads is None:
        raise PipelineError(
            f"this {type(pipe).__name__} does not read prompts with clipcond",
            "Say attach(pipe) first.",
        )
    read_so = () if is_read_so else otherwise_read(parameters, reads)
    return [
        *(f"{found} Say {choice}." if choice else found for found, choice in read_so),
        *encoders_not_honoured(parameters.others),
        *joins_not_honoured(parameters.others),
        *unknown_readings(parameters.others),
        *layers_not_honoured(parameters, reads, is_read_so=is_read_so),
        *_of_inversions(parameters, reads),
        *_of_sampling(parameters, pipe),
        *regions_not_honoured(settings_here(parameters)),
        *_of_others(parameters, pipe, reads),
    ]


def set_scheduler(parameters: Parameters, pipe: ConditionedPipeline) -> None:
    """Give a pipeline the scheduler that the settings name, or else its own.

    Its own is the one that it had before any settings, so that no picture depends on the one that
    was drawn before.
    """
    try:
        pipe.scheduler = scheduler_of(parameters, pipe)
    except (UnknownNameError, PipelineError):
        pipe.scheduler = own_scheduler(pipe)  # `not_honoured` says so


def _of_inversions(parameters: Parameters, conditioner: Conditioner) -> Iterator[str]:
    named = parameters.others.get("TI hashes", "").split(",")
    names = [each.partition(":")[0].strip() for each in named if each.strip()]
    known = {name.casefold() for name in conditioner.inversions}
    absent = [name for name in names if name.casefold() not in known]
    if absent:
        yield f"Embeddings that are not loaded: {', '.join(absent)}."


def _of_sampling(parameters: Parameters, pipe: ConditionedPipeline) -> Iterator[str]:
    used = own = own_scheduler(pipe)
    try:
        used = scheduler_of(parameters, pipe)
    except UnknownNameError:
        yield (
            f"Sampler {sampler_of(parameters, own)!r}, which diffusers does not have; the "
            f"pipeline's {scheduler_name(own)} is used."
        )
    except PipelineError as error:
        yield first_line(error)
    yield from _left_out(parameters, own)
    if used is not own and str(parameters.schedule_type).lower() == "automatic":
        sampler = parameters.sampler
        yield f"Schedule type Automatic: which one that was for {sampler} is not written."
    if is_of_k_diffusion(parameters) and is_left_open(parameters):
        spacing = used.config.get("timestep_spacing")
        yield f"Noise levels: spaced as the pipeline's scheduler says, {spacing}."
    if ends_above(parameters):
        yield "Noise levels: diffusers' DPM++ ends above the model's smallest, k-diffusion's there."
    is_known = is_a1111(parameters) and parameters.seed is not None
    if is_known and parameters.others.get("RNG") != "CPU":
        yield "Noise: drawn on the CPU here, by A1111 on the GPU unless its file says RNG: CPU."


def _left_out(parameters: Parameters, own: Scheduler) -> Iterator[str]:
    """Say which settings a file left out, as SwarmUI does with its defaults."""
    known, generator = (
        {*parameters.others, *parameters._elsewhere},
        parameters.others.get("Generator"),
    )
    is_text = is_a1111(parameters) and parameters._read  # not only made in Python
    if is_own(parameters) or not (is_text or generator is not None):
        return
    if parameters.steps is None and "Steps" not in known:
        yield "No steps are given: the pipeline's own number is used."
    if parameters.guidance is None and "CFG scale" not in known:
        yield "No CFG scale is given: the pipeline's own is used."
    if parameters.sampler is None and "Sampler" not in known:
        sampler = sampler_and_schedule_type(own)[0]
        yield f"No sampler is given: the pipeline's {sampler} is used."
    elif (generator, parameters.schedule_type) == ("SwarmUI", None) and "Sampler" not in known:
        yield "No schedule type is given: noise levels are spaced evenly."


def _of_others(
    parameters: Parameters, pipe: ConditionedPipeline, conditioner: Conditioner
) -> Iterator[str]:
    accepted = _accepted(pipe)
    strength = _strength(parameters)
    if "strength" in accepted and strength is None:
        yield "No denoising strength from 0 to 1 is given: the pipeline's own is used."
    if parameters.size is not None and "width" not in accepted:
        yield f"Size: {parameters.size[0]}x{parameters.size[1]}; the pipeline takes the picture's."
    dtype = str(getattr(pipe.unet, "dtype", "")).removeprefix("torch.")
    if parameters.others.get("Precision", dtype) != dtype:
        yield f"Precision: {parameters.others['Precision']}; this pipeline has {dtype}."
    usual = {**_USUAL, "Eta": usual_etas(parameters, own_scheduler(pipe))}
    for name, value in parameters.others.items():
        is_same = name in {"Model", "Tower"} and value in _names_of(pipe, conditioner)
        is_off = name in usual and _is_off(value, usual[name])
        is_strength = name in _STRENGTHS and "strength" in accepted
        is_strength &= strength is None or _is_off(value, (strength,))
        is_model = name == "Civitai resources" and _are_checkpoints(value)
        is_followed = value in _FOLLOWED.get(name, ())
        is_cpu = (name, value) == ("RNG", "CPU")
        known = (name in _SILENT, is_same, is_off, is_strength, is_model, is_cpu, is_followed)
        if not any(known):
            yield f"{name}: {excerpt(' '.join(value.split()))}"  # a line, whatever it holds


def _are_checkpoints(value: str) -> bool:
    """Whether Civitai's list of resources has only checkpoints, which no call compares."""
    try:
        kinds = [str(each["type"]).lower() for each in json.loads(value)]
    except (ValueError, RecursionError, TypeError, KeyError):
        return False
    return {*kinds} <= {"checkpoint"}


def _is_off(value: str, usual: Collection[float]) -> bool:
    """Whether a setting changes nothing, however its file writes the number: 1, 1.0 or 1.00."""
    try:
        return float(value) in usual
    except ValueError:
        return value in _OFF


def _strength(parameters: Parameters) -> float | None:
    for name in _STRENGTHS:
        try:
            value = float(parameters.others.get(name, ""))
        except ValueError:
            continue
        if 0 < value <= 1:
            return value
    return None


def _names_of(pipe: ConditionedPipeline, conditioner: Conditioner) -> set[str]:
    """List what the pipeline, and the towers that read its prompts, are called."""
    path = Path(str(pipe.config.get("_name_or_path")))
    return {*(tower.name for tower in conditioner.towers), *path.parts, path.stem}


def _accepted(pipe: ConditionedPipeline) -> set[str]:
    return {*signature(type(pipe).__call__).parameters}
