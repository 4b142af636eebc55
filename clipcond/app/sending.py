"""Turn what a picture was made with into values of the page's fields: A1111's "send to"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple, cast

from clipcond.app.loras import hashes
from clipcond.app.prompt_files import file_named
from clipcond.app.settings import MAX_SEED
from clipcond.app.studio import Studio
from clipcond.app.wishes import OWN, Reading
from clipcond.app.wording import Language
from clipcond.conditioning.dialects import DIALECTS, DialectName
from clipcond.errors import PipelineError, UnknownNameError, excerpt
from clipcond.metadata import Parameters
from clipcond.metadata.calls import not_honoured
from clipcond.metadata.layers import clip_skip_of
from clipcond.metadata.readings import otherwise_read
from clipcond.metadata.regions import MASKS, REGIONS, SHARE
from clipcond.metadata.samplers import is_own, scheduler_of
from clipcond.pipelines.schedulers import own_scheduler, scheduler_name

SPACING, LORA_HASHES = "timestep_spacing", "Lora hashes"
# Settings that are looked at here.
_LOOKED_AT = frozenset({"Tower", LORA_HASHES, REGIONS, SHARE, MASKS})


class Sent(NamedTuple):
    """Values of the fields; None = the picture does not say, so the field stays as it is."""

    prompt: str
    negative: str
    dialect: str | None
    tower: str | None
    clip_skip: int | None
    steps: int | None
    guidance: float | None
    scheduler: str | None
    spacing: str | None
    seed: int | None
    width: int | None
    height: int | None
    notes: tuple[str, ...]


def sent(parameters: Parameters, studio: Studio, language: Language) -> Sent:
    """Take over what the page has a field for, and note what it cannot take over."""
    notes: list[str] = []
    is_said = parameters.steps is not None  # what a file with settings leaves out is the usual
    written = parameters.others.get("Dialect", "a1111" if is_said else None)
    dialect, tower = written, None
    if written is not None and written not in DIALECTS:
        notes.append(language.said("The dialect {} is not known here.", excerpt(written)))
        dialect = None
    if written is not None:
        tower = parameters.others.get("Tower", OWN)
    if tower is not None and tower not in studio.towers:
        notes.append(language.said("The text tower {} is not loaded here.", excerpt(tower)))
        tower = None
    scheduler, spacing = _sampling(parameters, studio)
    seed = parameters.seed
    if seed is not None and seed > MAX_SEED:
        notes.append(language.said("The seed {} is too large for this page.", seed))
        seed = None
    width, height = parameters.size or (None, None)
    clip_skip = clip_skip_of(parameters, studio.pipe.conditioner)
    if clip_skip is None and is_said:
        clip_skip = 0  # the model's own
    if clip_skip is not None and clip_skip > studio.own["most_skip"]:
        notes.append(language.said("The clip skip {} is too large for this page.", clip_skip))
        clip_skip = None
    return Sent(
        parameters.prompt,
        parameters.negative,
        dialect,
        tower,
        clip_skip,
        parameters.steps,
        parameters.guidance,
        scheduler,
        spacing,
        seed,
        width,
        height,
        (*notes, *_not_taken(parameters, studio, language, (dialect, tower))),
    )


def _sampling(parameters: Parameters, studio: Studio) -> tuple[str | None, str | None]:
    """Choose sampler and spacing as `Parameters.call` does; None = the file names no sampler."""
    if parameters.sampler is None and parameters.schedule_type is None:
        return None, None
    own = own_scheduler(studio.pipe)
    try:
        made = scheduler_of(parameters, studio.pipe)
    except (UnknownNameError, PipelineError):
        return OWN, OWN  # `not_honoured` says so
    if made is own:
        return OWN, OWN
    spacing = str(made.config.get(SPACING) or OWN)
    return scheduler_name(made), OWN if spacing == own.config.get(SPACING) else spacing


def _not_taken(
    parameters: Parameters, studio: Studio, language: Language, read: tuple[str | None, str | None]
) -> Iterator[str]:
    """Say what the page draws otherwise than the picture's file says."""
    others = {name: text for name, text in parameters.others.items() if name not in _LOOKED_AT}
    if REGIONS in parameters.others:
        text = excerpt(parameters.others[REGIONS])
        yield language.said("The page draws no regions: {}", text)
    yield from _of_loras(parameters, studio, language)
    dialect, tower = read
    reading = Reading(cast(DialectName, dialect or "a1111"), None, tower or OWN)
    conditioner = studio.conditioner(reading)
    if dialect is not None:
        for found, choice in otherwise_read(parameters, conditioner):
            yield (
                language.said(
                    "The prompts were read with {}; the page has no field for that.", choice
                )
                if choice
                else language.reworded(found)
            )
    # fields that stay as they are, since the file has nothing for them
    kept = {
        "Steps": parameters.steps,
        "CFG scale": parameters.guidance,
        "Sampler": parameters.sampler or parameters.schedule_type,
    }
    elsewhere = frozenset(name for name, value in kept.items() if value is None)
    left = replace(parameters, others=others, _elsewhere=elsewhere)
    said = not_honoured(left, studio.pipe, is_read_so=True, conditioner=conditioner)
    yield from map(language.reworded, said)


def _of_loras(parameters: Parameters, studio: Studio, language: Language) -> Iterator[str]:
    """Say which LoRAs of the file are not here, or are another file."""
    for each in filter(str.strip, parameters.others.get(LORA_HASHES, "").split(",")):
        name, _, known = (part.strip() for part in each.rpartition(":"))
        here = file_named(name, studio.loras)
        if here is None:
            yield language.said("The LoRA {} is not here.", excerpt(name))
        # A1111's hash is of the tensors alone
        elif is_own(parameters) and hashes({name: studio.loras[here]}) != f"{name}: {known}":
            yield language.said("The LoRA {} is another file here.", excerpt(name))
