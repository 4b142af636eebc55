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
    from clipcond.metadata.drawn import open_pipeline

    pipe, built_with, hashes = open_pipeline(model, scheduler, inversions, choices)
    return Artist(pipe, built_with, inversions=hashes)


def read_otherwise(artist: Artist, choices: Mapping[str, Any]) -> None:
    """Let a pipeline read prompts by other choices; the model and what is encoded are kept.

    Args:
        choices: as `open_artist` got them, but for those in READING.
    """
    from clipcond.conditioning import Conditioner
    from clipcond.metadata.drawn import named_reading

    before = artist.pipe.conditioner
    chosen: dict[str, Any] = {name: choices[name] for name in READING}
    kept = ("pooled", "reads", "adapter", "max_chunks")
    own: dict[str, Any] = {name: getattr(before, name) for name in kept}
    made = Conditioner(*before.towers, **{**chosen, **own})
    made.cache = before.cache  # its keys do not depend on how prompts are read
    artist.pipe.conditioner = made
    artist.built_with |= named_reading(choices)
