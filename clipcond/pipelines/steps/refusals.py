"""Refuse prompts over time where a pipeline cannot draw them right."""

from __future__ import annotations

from typing import Any

from torch import nn

from clipcond.errors import PipelineError
from clipcond.pipelines.steps.plan import Plan

_CHANGES = "[a:b:0.5], [a|b] and AND"
_NEVER = {
    "StableDiffusionParadigmsPipeline": "it denoises many steps in one call of its UNet",
    "StableDiffusionPanoramaPipeline": "it denoises each step in many views",
    "StableDiffusionPix2PixZeroPipeline": "it changes the embeddings while it draws",
    "UniDiffuserPipeline": "it changes the embeddings before it draws",
    "StableDiffusionLatentUpscalePipeline": "it joins the pooled vector with other values",
    "StableDiffusionDiffEditPipeline": "it compares two prompts at one step",
}
_NOT_MIXED = {
    "StableDiffusionAttendAndExcitePipeline": "it steers by the attention to one prompt",
}
# Names of diffusers' hooks that take what a model computed at the step before.
_CACHES = ("pyramid_attention_broadcast", "faster_cache", "first_block_cache", "fbc", "taylorseer",
           "mag_cache")  # fmt: skip


def check_pipeline(pipe: object, plan: Plan) -> None:
    """Refuse a plan that this pipeline cannot draw.

    Raises:
        PipelineError: says why, and what to write.
    """
    names = [each.__name__ for each in type(pipe).__mro__]
    reasons = _NEVER | _NOT_MIXED if plan.is_mixed else _NEVER
    reason = next((reasons[name] for name in names if name in reasons), None)
    if reason is None and getattr(pipe, "free_noise_enabled", False):
        reason = "FreeNoise mixes the embeddings of neighbouring frames"
    if reason is None and plan.is_mixed:
        reason = _cache_of(pipe)
    if reason is not None:
        what = "AND" if plan.is_mixed and reason not in _NEVER.values() else _CHANGES
        raise PipelineError(
            f"This {type(pipe).__name__} cannot draw {what}: {reason}.",
            f"Write the prompt without {what}, or encode its texts and pass prompt_embeds=.",
        )


def _cache_of(pipe: object) -> str | None:
    """Find a cache between steps, which would mix up the parts of AND."""
    for name in ("unet", "transformer"):
        model = getattr(pipe, name, None)
        for module in model.modules() if isinstance(model, nn.Module) else ():
            registry: Any = getattr(module, "_diffusers_hook", None)
            hooks = getattr(registry, "hooks", {})
            cache = next((each for each in hooks if any(c in each for c in _CACHES)), None)
            if cache is not None:
                return f"its {name} has a cache between steps, {cache}"
    return None
