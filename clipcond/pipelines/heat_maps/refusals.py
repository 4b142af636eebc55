"""Refuse to trace what has no attention from places of a picture to tokens of CLIP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from clipcond.errors import PipelineError
from clipcond.pipelines.attachment import Attachment, attachment_of
from clipcond.pipelines.family import Family
from clipcond.pipelines.steps.refusals import cache_of, reason_against

if TYPE_CHECKING:
    from clipcond.conditioning.token_rows import EncodedPrompt

_POSSIBLE = (
    "Heat maps are made of Stable Diffusion 1.x, 2.x and XL, whose UNet attends to the rows of "
    "CLIP, and of Stable Diffusion 3, whose transformer attends to picture and text together."
)
# by name, as importing all transformers of diffusers takes seconds
_MODELS = {"unet": "UNet2DConditionModel", "transformer": "SD3Transformer2DModel"}


def traced_model(pipe: object) -> tuple[Attachment, nn.Module]:
    """Find the model of a pipeline whose attention to text can be traced.

    Raises:
        PipelineError: the pipeline is not attached, or has no such model; says what is possible.
    """
    attachment = attachment_of(pipe)
    if attachment is None:
        raise PipelineError(
            f"This {type(pipe).__name__} is not attached: which row is which word is not known.",
            "Call attach(pipe) first. Modular pipelines cannot be traced.",
        )
    family = attachment.family
    reason = reason_against(pipe, family) or _reason_against_models(pipe, family)
    if reason:
        raise PipelineError(f"This {type(pipe).__name__} cannot be traced: {reason}.", _POSSIBLE)
    model = next(m for name in _MODELS if (m := getattr(pipe, name, None)) is not None)
    cache = cache_of(pipe)
    if cache is not None:
        raise PipelineError(
            f"This {type(pipe).__name__} cannot be traced: {cache}, so that its layers do not "
            "attend at every step.",
            "Take the cache off while tracing.",
        )
    _check_not_compiled(model)
    return attachment, model


def check_places(prompts: tuple[EncodedPrompt, ...]) -> None:
    """Refuse prompts whose rows of embeds are not tokens' places.

    Raises:
        PipelineError: an adapter with learned queries made them.
    """
    if not all(prompt.has_places for prompt in prompts):
        raise PipelineError(
            "This pipeline's adapter reads a whole chunk for each row that it writes, so that no "
            "row belongs to a word: there are no heat maps of its prompts.",
            "Trace with the UNet's own text tower, or with a linear adapter.",
        )


def _reason_against_models(pipe: object, family: Family) -> str:
    models = {name: getattr(pipe, name, None) for name in _MODELS}
    found = {name: getattr(m, "_orig_mod", m) for name, m in models.items() if m is not None}
    if not found:
        return "it has no UNet and no transformer that draws"
    for name, model in found.items():
        if _MODELS[name] not in {kind.__name__ for kind in type(model).__mro__}:
            note = f"; of {family.name} clipcond reads {family.note}" if family.note else ""
            return f"its {name} is a {type(model).__name__}{note}"
    return ""


def _check_not_compiled(model: nn.Module) -> None:
    compiled = hasattr(model, "_orig_mod") or any(
        getattr(module, "_compiled_call_impl", None) is not None for module in model.modules()
    )
    if compiled:
        raise PipelineError(
            "A compiled model cannot be traced: what its layers attend to is computed inside of "
            "the compiled code.",
            "Trace before torch.compile, or with the model that was compiled: pipe.unet = "
            "pipe.unet._orig_mod.",
        )
