"""Take from a picture's file what `clipcond generate --from` was not given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipcond.cli.opening import read_otherwise
from clipcond.cli.picture_jobs import PictureJob
from clipcond.cli.pictures import Artist
from clipcond.errors import warn
from clipcond.metadata import Parameters, read_parameters

if TYPE_CHECKING:
    from clipcond.pipelines.protocols import ConditionedPipeline

_EMBEDDED = ("embedded", "embedded-zh")
# What the file calls the choices of a pipeline.
_CHOICES = {
    "Dialect": "dialect",
    "Weighting": "weighting",
    "Normalize": "normalize",
    "Full-width": "fullwidth",
    "Extra networks": "extra_networks",
    "Precision": "dtype",
}


def take_from(
    picture: Path, job: PictureJob, choices: dict[str, Any], is_given: Callable[[str], bool]
) -> tuple[PictureJob, dict[str, Any], Parameters]:
    """Fill in what was not given: prompts, numbers, and how the prompt is read.

    Args:
        job: what the options say, or their defaults.
        choices: arguments of `build_pipeline`.
        is_given: whether an option was given.
    Returns:
        both, filled in, and what is left of the file's settings to honour.
    Raises:
        PictureError: the file does not say how it was made.
    """
    from clipcond.metadata.layers import clip_skip_of
    from clipcond.metadata.readings import emphasis_rule, is_literal_text, literal
    from clipcond.metadata.regions import base_share_of, region_texts_of, settings_here
    from clipcond.metadata.samplers import SPACING

    read = read_parameters(picture)
    size = None if read.size is None else "x".join(map(str, read.size))
    own: dict[str, Any] = {
        name: value
        for name, value in {
            "prompt": read.prompt,
            "negative": read.negative,
            "seed": read.seed,
            "steps": read.steps,
            "guidance": read.guidance,
            "size": size,
        }.items()
        if value is not None and not is_given(name)
    }
    if read.seed is None and not is_given("seed"):
        warn(f"{str(picture)!r} does not say the seed; {job.seed} is used")
    others = settings_here(read)
    if not is_given("region"):
        own["regions"] = region_texts_of(others)
        if not is_given("base_share"):
            own["base_share"] = base_share_of(others)
    if rule := emphasis_rule(others):
        others.setdefault("Weighting", rule)
    taken = _choices(others, is_given)
    if is_literal_text(others) and not is_given("dialect"):
        taken["dialect"] = literal(taken.get("dialect", "a1111"))
    if is_given("clip_skip"):
        read = replace(read, clip_skip=None)
    else:
        taken["clip_skip"] = clip_skip_of(read)
    if others.get("Tower") in _EMBEDDED and not is_given("tower"):
        taken["tower"] = others["Tower"]
    if is_given("scheduler"):
        others.pop(SPACING, None)
        read = replace(read, sampler=None, schedule_type=None)
    named = {"scheduler": "Sampler", "guidance": "CFG scale", "steps": "Steps"}
    elsewhere = frozenset(name for option, name in named.items() if is_given(option))
    read = replace(read, _elsewhere=elsewhere)
    return replace(job, **own), {**choices, **taken}, replace(read, others=others)


def _choices(others: Mapping[str, str], is_given: Callable[[str], bool]) -> dict[str, Any]:
    """Take the choices of a pipeline; `not_honoured` lists the switches that cannot be read."""
    from clipcond.metadata.readings import SWITCHES, switch

    found = {
        choice: switch(others[name]) if name in SWITCHES else others[name]
        for name, choice in _CHOICES.items()
        if name in others and not is_given(choice)
    }
    return {choice: value for choice, value in found.items() if value is not None}


def with_towers(
    choices: Mapping[str, Any], read: Parameters | None, pipe: ConditionedPipeline
) -> Mapping[str, Any]:
    """Count the clip skip of a file as its tool does with the towers of the pipeline."""
    from clipcond.metadata.layers import clip_skip_of

    if read is None or read.clip_skip is None:
        return choices
    return {**choices, "clip_skip": clip_skip_of(read, pipe.conditioner)}


def honour(read: Parameters, artist: Artist, choices: Mapping[str, Any]) -> None:
    """Read and sample as the file says, and warn of what the pipeline does otherwise.

    Args:
        choices: arguments of `build_pipeline`.
    """
    from clipcond.metadata.calls import not_honoured, set_scheduler

    pipe = artist.pipe
    read_otherwise(artist, with_towers(choices, read, pipe))
    missing = [*not_honoured(read, pipe, is_read_so=True), *_other_inversions(read, artist)]
    set_scheduler(read, pipe)
    for each in missing:
        warn(f"not as the picture was made: {each}")


def _other_inversions(read: Parameters, artist: Artist) -> list[str]:
    """List inversions of a picture of clipcond whose files are others here."""
    from clipcond.metadata.samplers import is_own

    pairs = (each.rpartition(":") for each in read.others.get("TI hashes", "").split(","))
    written = {name.strip(): known.strip() for name, _, known in pairs}
    return [
        f"The embedding {name} is another file here."
        for name, known in artist.inversions.items()
        if is_own(read) and known and written.get(name, known) != known
    ]
