"""Turn what a picture was made with into values of the page's fields: A1111's "send to"."""

from __future__ import annotations

from typing import NamedTuple

from clipcond.app.settings import MAX_SEED
from clipcond.app.studio import Studio
from clipcond.app.wishes import OWN
from clipcond.app.wording import Language
from clipcond.conditioning.dialects import DIALECTS
from clipcond.errors import UnknownNameError, excerpt
from clipcond.metadata import Parameters
from clipcond.pipelines.schedulers import find_scheduler


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
    seed: int | None
    width: int | None
    height: int | None
    notes: tuple[str, ...]


def sent(parameters: Parameters, studio: Studio, language: Language) -> Sent:
    """Take over what the page has a field for, and note what it cannot take over."""
    notes = []
    others = parameters.others
    dialect = others.get("Dialect")
    if dialect is not None and dialect not in DIALECTS:
        notes.append(language.said("The dialect {} is not known here.", excerpt(dialect)))
        dialect = None
    tower = others.get("Tower", OWN) if "Dialect" in others else None
    if tower is not None and tower not in studio.towers:
        notes.append(language.said("The text tower {} is not loaded here.", excerpt(tower)))
        tower = None
    scheduler = _scheduler(parameters)
    if parameters.sampler is not None and scheduler is None:
        name = excerpt(parameters.sampler)
        notes.append(language.said("The sampler {} is not known here.", name))
    seed = parameters.seed
    if seed is not None and seed > MAX_SEED:
        notes.append(language.said("The seed {} is too large for this page.", seed))
        seed = None
    width, height = parameters.size or (None, None)
    return Sent(
        parameters.prompt,
        parameters.negative,
        dialect,
        tower,
        parameters.clip_skip,
        parameters.steps,
        parameters.guidance,
        scheduler,
        seed,
        width,
        height,
        tuple(notes),
    )


def _scheduler(parameters: Parameters) -> str | None:
    """Find the scheduler's name in the list of choices; None = there is none such."""
    kind = parameters.schedule_type or ""
    for name in (f"{parameters.sampler} {kind}".strip(), parameters.sampler):
        try:
            return find_scheduler(name).name if name else None
        except UnknownNameError:
            continue
    return None
