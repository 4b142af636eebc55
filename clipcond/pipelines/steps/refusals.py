"""Refuse prompts over time where a pipeline cannot draw them right."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from clipcond.errors import PipelineError, PromptError
from clipcond.pipelines.family import Family
from clipcond.pipelines.steps.plan import Arguments, Plan

DENOISERS = ("unet", "transformer", "controlnet", "prior", "decoder")  # attributes of pipelines
_CHANGES = "[a:b:0.5], [a|b] and AND"
_NEVER = {
    "StableDiffusionParadigmsPipeline": "it denoises many steps in one call of its UNet",
    "StableDiffusionPanoramaPipeline": "it denoises each step in many views",
    "StableDiffusionPix2PixZeroPipeline": "it changes the embeddings while it draws",
    "UniDiffuserPipeline": "it changes the embeddings before it draws",
    "StableDiffusionLatentUpscalePipeline": "it joins the pooled vector with other values",
    "StableDiffusionDiffEditPipeline": "it compares two prompts at one step",
    "UnCLIPPipeline": "its decoder reads a projection of the embeddings",
    "FluxPriorReduxPipeline": "it draws nothing, and joins the embeddings with a picture's",
}
_NOT_MIXED = {
    "StableDiffusionAttendAndExcitePipeline": "it steers by the attention to one prompt",
}


def check_pipeline(pipe: object, family: Family, plan: Plan) -> None:
    """Refuse a plan that this pipeline cannot draw.

    Raises:
        PipelineError: says why, and what to write.
    """
    reason, what = reason_against(pipe, family), _CHANGES
    if reason is None and getattr(pipe, "free_noise_enabled", False):
        reason = "FreeNoise mixes the embeddings of neighbouring frames"
    if reason is None and not any(getattr(pipe, name, None) is not None for name in DENOISERS):
        reason = "it has no model that draws"
    if reason is None and plan.is_mixed:
        reason, what = reason_against_and(pipe) or cache_of(pipe), "AND"
    if reason is not None:
        raise PipelineError(
            f"This {type(pipe).__name__} cannot draw {what}: {reason}.",
            f"Write the prompt without {what}, or encode its texts and pass prompt_embeds=.",
        )


def reason_against(pipe: object, family: Family) -> str | None:
    """Say why a class of pipelines cannot draw prompts over time; None = it can."""
    unknown = "" if family.returns else "its family does not say which rows its model reads"
    return named_reason(pipe, _NEVER) or family.fixed_because or unknown or None


def reason_against_and(pipe: object) -> str | None:
    """Say why a class of pipelines that draws prompts over time cannot draw AND; None = it can."""
    return named_reason(pipe, _NOT_MIXED)


def no_texts(pipe: object) -> PipelineError:
    """Make the error for a traced call whose prompts are not given as text."""
    return PipelineError(
        "Heat maps are of the words of a prompt, and this call was given embeddings, or prompts "
        "and negatives that do not pair.",
        f"Pass the text itself: {type(pipe).__name__} takes prompt= and negative_prompt=.",
    )


def no_negative(pipe: object, arguments: Arguments, index: int, total: float) -> PromptError:
    """Make the error for weights of AND that a negative would have to complete, without one.

    Args:
        arguments: of the call that encoded the prompts.
        index: which prompt of the call.
        total: what the weights sum up to.
    """
    given = arguments.get("prompt")
    prompt = given if isinstance(given, str) else given[index] if given else ""
    message = (
        f"the weights of AND sum up to {total:g}; what differs from 1 is taken from the negative "
        "prompt, and this call has none"
    )
    taken = inspect.signature(type(pipe).__call__).parameters
    guides = next((n for n in ("true_cfg_scale", "guidance_scale") if n in taken), None)
    remedy = "Write weights that sum up to 1, such as 'a :0.5 AND b :0.5'"
    if guides and "negative_prompt" in taken:
        remedy += f", or pass negative_prompt= and {guides}= above 1"
    return PromptError(message, prompt, max(0, prompt.find("AND")), f"{remedy}.")


def strange_rows() -> PipelineError:
    """Make the error for a call of a model with other texts than those of the call's regions."""
    return PipelineError(
        "A call with regions has other embeddings than its prompts': the pipeline, or a callback, "
        "has put them there.",
        "Leave prompt_embeds as they are, or draw without regions=.",
    )


def regions_traced() -> PipelineError:
    """Make the error for a call with regions that is to be traced."""
    return PipelineError(
        "A call with regions cannot be traced: each word's places depend on its region.",
        "Trace a call without regions=.",
    )


def named_reason(pipe: object, reasons: dict[str, str]) -> str | None:
    """Look up the reason of a pipeline's class, or of one that it is made of."""
    names = [each.__name__ for each in type(pipe).__mro__]
    return next((reasons[name] for name in names if name in reasons), None)


def cache_of(pipe: object) -> str | None:
    """Find a cache between steps, which would mix up the parts of AND, and regions."""
    for name in DENOISERS:
        model = getattr(pipe, name, None)
        forward = getattr(model, "__dict__", {}).get("forward")
        if str(getattr(forward, "__module__", "")).startswith("DeepCache"):
            return f"its {name} has a cache between steps, DeepCache"
        for module in model.modules() if isinstance(model, nn.Module) else ():
            registry: Any = getattr(module, "_diffusers_hook", None)
            hooks = getattr(registry, "hooks", {})
            # diffusers' own mark of hooks that keep values from call to call: its caches do
            caches = (n for n, hook in hooks.items() if getattr(hook, "_is_stateful", False))
            if cache := next(caches, None):
                return f"its {name} has a cache between steps, {cache}"
    return None
