"""Make towers of a pipeline's own text encoders."""

from __future__ import annotations

from dataclasses import replace

from clipcond.errors import PipelineError
from clipcond.pipelines.families import family_of
from clipcond.pipelines.family import Family
from clipcond.pipelines.own_towers import is_bert, masks_padding, own_tower
from clipcond.towers import OpenAIClipTower, TextTower


def has_own_kind(pipe: object, family: Family) -> bool:
    """Whether a pipeline has all of its text encoders, and they are of its family's kind."""
    components = family.parts_of(pipe)
    models = components[::2]
    is_own = all(OpenAIClipTower.is_model(model) or is_bert(model) for model in models)
    return None not in components and (family.tower is not own_tower or is_own)


def check_is_own(pipe: object, *, is_chosen: bool) -> None:
    """Refuse classes and other families, and to choose how a BERT's prompts are read.

    Nothing in a BERT says how.

    Args:
        is_chosen: whether the tower is another, or was chosen before.
    Raises:
        PipelineError: says what to do.
    """
    if isinstance(pipe, type):
        name = pipe.__name__
        remedy = f"Make one: {name}.from_pretrained(...)."
        raise PipelineError(f"attach needs an object, not the class {name}", remedy)
    family = family_of(pipe)
    encoder = getattr(pipe, family.components[0], None)
    if not is_chosen and family.tower is own_tower and is_bert(encoder):
        raise PipelineError(
            f"The text encoder of this {type(pipe).__name__}, a {type(encoder).__name__}, is no "
            "CLIP text model: it does not say how long chunks are and whether padding is masked.",
            "Say which tower reads its prompts: attach(pipe, tower=load_tower(folder)), or "
            "tower=ChineseClipTower(pipe.text_encoder, pipe.tokenizer) of clipcond.towers, which "
            "read as ChineseCLIP. build_pipeline(folder) reads as plain diffusers does.",
        )


def towers_of(pipe: object, family: Family) -> list[TextTower]:
    """Make towers of a pipeline's text encoders.

    Raises:
        PipelineError: one is missing, or is of another kind.
    """
    components, kind = family.parts_of(pipe), type(pipe).__name__
    for name, part in zip(family.components, components, strict=True):
        if part is None:
            raise PipelineError(
                f"This {kind} has no {name}.",
                "Load it with one, or say which tower to use: attach(pipe, tower=...).",
            )
    pairs = zip(components[::2], components[1::2], strict=True)
    made = [family.tower(*pair, context_length=family.context_length) for pair in pairs]
    for model, tower in zip(components[::2], made, strict=True):
        if tower is None:
            raise PipelineError(
                f"The text encoder of this {kind}, a {type(model).__name__}, is no CLIP text "
                "model and no BERT.",
                "Say which tower reads its prompts: attach(pipe, tower=...).",
            )
        if family.masks or (family.masks is None and masks_padding(model)):
            tower.special = replace(tower.special, mask_padding=True)
    return made
