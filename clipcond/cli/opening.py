"""Open the model that draws, and let it read and sample otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipcond.cli.pictures import Artist

# The choices of a pipeline that take no new model.
READING = ("clip_skip", "dialect", "weighting", "normalize", "fullwidth", "extra_networks")


def open_artist(
    model: str | None,
    scheduler: str | None,
    inversions: Sequence[Path],
    choices: Mapping[str, Any],
) -> Artist:
    """Build a pipeline to draw with.

    Args:
        scheduler: a sampler's name; None = the model's own.
        choices: arguments of `build_pipeline`.
    """
    from clipcond.conditioning.dialects import find_dialect
    from clipcond.conditioning.inversions import load_file
    from clipcond.pipelines.schedulers import find_scheduler, make_scheduler

    # a typing error should not cost the minutes that loading takes
    dialect = find_dialect(choices["dialect"])
    if scheduler is not None:
        find_scheduler(scheduler)
    from clipcond.pipelines import build_pipeline

    pipe = build_pipeline(model, **{**choices, "dialect": dialect})
    if scheduler is not None:
        pipe.scheduler = make_scheduler(scheduler, pipe.scheduler)
    hashes: dict[str, str] = {}
    for file in inversions:
        hashes |= load_file(pipe.conditioner, file, allow_pickle=choices["allow_pickle"])
    pipe.set_progress_bar_config(disable=True)
    adapter = choices.get("adapter")
    named = {
        "Model": "embedded" if model is None else Path(model).stem,
        "Tower": choices.get("tower"),
        "Adapter": None if adapter is None else adapter.stem,
        "VAE": None if choices.get("vae") is None else Path(choices["vae"]).stem,
        **_reading(choices),
    }
    return Artist(pipe, named, inversions=hashes)


def read_otherwise(artist: Artist, choices: Mapping[str, Any]) -> None:
    """Let a pipeline read prompts by other choices; the model and what is encoded are kept.

    Args:
        choices: as `open_artist` got them, but for those in READING.
    """
    from clipcond.conditioning import Conditioner

    before = artist.pipe.conditioner
    chosen: dict[str, Any] = {name: choices[name] for name in READING}
    kept = ("pooled", "reads", "adapter", "max_chunks")
    own: dict[str, Any] = {name: getattr(before, name) for name in kept}
    made = Conditioner(*before.towers, **{**chosen, **own})
    made.cache = before.cache  # its keys do not depend on how prompts are read
    artist.pipe.conditioner = made
    artist.built_with |= _reading(choices)


def _reading(choices: Mapping[str, Any]) -> dict[str, object]:
    """Name the choices of reading as a picture's file does; the dialect is added there."""
    return {
        "Weighting": choices.get("weighting"),
        "Normalize": choices.get("normalize"),
        "Full-width": choices.get("fullwidth"),
        "Extra networks": False if choices.get("extra_networks") is False else None,
    }
