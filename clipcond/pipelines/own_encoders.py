"""Make towers of a pipeline's own text encoders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clipcond.errors import PipelineError
from clipcond.pipelines.family import Family
from clipcond.towers import OpenAIClipTower, TextTower

__all__ = ["has_towers", "own_towers"]


def has_towers(pipe: object, family: Family) -> bool:
    """Whether a pipeline has all of its text encoders and tokenizers, and they are of its kind."""
    components = _components(pipe, family)
    return None not in components and all(_is_model(each, family) for each in components[::2])


def own_towers(pipe: object, family: Family) -> list[TextTower]:
    """Make towers of a pipeline's text encoders.

    Raises:
        PipelineError: one is missing, or is of another kind.
    """
    components, kind = _components(pipe, family), type(pipe).__name__
    for name, part in zip(family.components, components, strict=True):
        if part is None:
            raise PipelineError(
                f"This {kind} has no {name}.",
                "Load it with one, or say which tower to use: attach(pipe, tower=...).",
            )
    other = next((part for part in components[::2] if not _is_model(part, family)), None)
    if other is not None:
        raise PipelineError(
            f"The text encoder of this {kind}, a {type(other).__name__}, is no CLIP text model.",
            "Say which tower reads its prompts: attach(pipe, tower=...). For a BERT that is "
            "ChineseClipTower(pipe.text_encoder, pipe.tokenizer) of clipcond.towers.",
        )
    towers = [
        family.tower(model, tokenizer, context_length=family.context_length)
        for model, tokenizer in zip(components[::2], components[1::2], strict=True)
    ]
    if family.masks:
        for tower in towers:
            tower.special = replace(tower.special, mask_padding=True)
    return towers


def _components(pipe: object, family: Family) -> tuple[Any, ...]:
    return tuple(getattr(pipe, name, None) for name in family.components)


def _is_model(model: object, family: Family) -> bool:
    return family.tower is not OpenAIClipTower or OpenAIClipTower.is_model(model)
