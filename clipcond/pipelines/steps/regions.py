"""Encode the texts of a call's regions with its own prompts, all in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.errors import PipelineError, PromptError
from clipcond.pipelines.family import Encoding, Family
from clipcond.pipelines.regions.region import USUAL_SHARE, Region, Regional
from clipcond.pipelines.regions.shares import Shares, Size
from clipcond.pipelines.steps.cross_attention import cross_attentions
from clipcond.pipelines.steps.encoding import TEXT, Encode, EncodedCall, Row
from clipcond.pipelines.steps.plan import NUMBERS, Arguments, Plan, plan_steps
from clipcond.pipelines.steps.position import likely_steps
from clipcond.pipelines.steps.refusals import (
    cache_of,
    named_reason,
    reason_against,
    reason_against_and,
)

_PAIRS = (("prompt", "negative_prompt"), ("prompt_2", "negative_prompt_2"))
_NEVER = {
    "I2VGenXLPipeline": "it joins the text with what it reads of a picture",
    "CycleDiffusionPipeline": "it draws two prompts, and encodes them apart",
    "StableDiffusionPipelineSafe": "it draws a concept of its own besides the prompt",
    "StableUnCLIPPipeline": "its prior reads the prompt too",
}
_PROJECTIONS = (None, "text_proj", "ip_image_proj")  # which keep rows of text apart
_ADDITIONS = (None, "text_time")  # which read a pooled vector, and no rows


class RegionTexts:
    """The encoded texts of a call's regions.

    Args:
        calls: for each region, what encodes its text for every prompt of the call.
        regional: what the user asked for.
        base_share: of the call's own prompts.
    """

    def __init__(self, calls: Sequence[EncodedCall], regional: Regional, base_share: float) -> None:
        self.calls, self.regional, self._base_share = tuple(calls), regional, base_share
        self._shares: dict[tuple[Size, Size], Shares] = {}

    def shares(self, latents: Size, picture: Size) -> Shares:
        """Compute the shares in a picture of this size, height and width."""
        key = latents, picture
        if key not in self._shares:
            regions, share = self.regional.regions, self._base_share
            self._shares[key] = Shares(regions, share, latents, picture)
        return self._shares[key]

    def rows(self, rows: Sequence[Row]) -> list[list[Row]]:
        """Name for each region the rows that go with rows of the call's own prompts."""
        return [[replace(row, encoded=each) for row in rows] for each in self.calls]


def encode_regions(
    encoding: Encoding, arguments: Arguments, encode: Encode, regional: Regional
) -> EncodedCall:
    """Encode a call and its regions; the towers run once, for all their texts.

    Raises:
        PipelineError: the pipeline cannot draw regions, or has no prompt as text.
        PromptError: a prompt has AND.
    """
    pipe, family, conditioner = encoding.pipe, encoding.family, encoding.conditioner
    check_regions(pipe, family)
    if arguments.get("prompt") is None:
        raise PipelineError(
            "Regions need the prompt of the whole picture as text, and this call has embeddings.",
            "Pass prompt= in place of prompt_embeds=.",
        )
    own = [arguments, *(_of_region(arguments, each) for each in regional.regions)]
    n_steps, of_call = likely_steps(pipe), {"limited": family.n_chunks is None}
    plans = [_plan(each, plan_steps(each, conditioner, n_steps, **of_call)) for each in own]
    encode(_joined(plans))  # warns; what is encoded below comes from the cache
    with collect_warnings(shown=False):
        base, *others = (
            EncodedCall(each, _plan(each, plan), conditioner, family, encode)
            for each in own
            for plan in [plan_steps(each, conditioner, n_steps, again=True, **of_call)]
        )
    share = regional.base_share
    if share is None:
        share = USUAL_SHARE if any(text.strip() for text in _texts(arguments, "prompt")) else 0.0
    base.regions = RegionTexts(others, regional, share)
    return base


def _of_region(arguments: Arguments, region: Region) -> Arguments:
    """Make the arguments of the same call with a region's texts in place of its own."""
    n = len(_texts(arguments, "prompt"))
    own: dict[str, Any] = {"prompt": [region.prompt] * n}
    of_negatives = () if region.negative is None else ("negative_",)
    replaced = ("prompt_", "pooled_", *of_negatives)
    own |= {name: None for name in arguments if name.startswith(replaced)}
    if region.negative is not None:
        own["negative_prompt"] = [region.negative] * n
    return {**arguments, **own}


def _texts(arguments: Arguments, name: str) -> list[str]:
    given = arguments.get(name)
    return [given] if isinstance(given, str) else [*(given or ())]


def _plan(arguments: Arguments, plan: Plan | None) -> Plan:
    if plan is None:
        raise PipelineError("The prompts and negative prompts of a call with regions do not pair.")
    if plan.is_mixed:
        texts = [text for name in ("prompt", "prompt_2") for text in _texts(arguments, name)]
        text = next((each for each in texts if "AND" in each), texts[0])
        raise PromptError(
            "AND cannot be drawn in a call with regions",
            text,
            max(0, text.find("AND")),
            "Write a region for each part: regions may overlap, and have weights.",
        )
    return plan


def _joined(plans: Sequence[Plan]) -> Arguments:
    """Make the arguments that encode the texts of all plans at once."""
    first = plans[0].arguments
    joined: dict[str, list[str]] = {}
    for names in _PAIRS:
        for name, usual in zip(names, ("prompt", "negative_prompt"), strict=True):
            if name not in first:
                continue
            lists = [
                _planned(plan, name)
                or _planned(plan, usual)
                or [""] * len(_texts(plan.arguments, "prompt"))
                for plan in plans
            ]
            joined[name] = [text for texts in lists for text in texts]
    tensors = {name: None for name, value in first.items() if isinstance(value, Tensor)}
    numbers: dict[str, Any] = {name: 1 for name in first if name in NUMBERS}
    return {**first, **tensors, **numbers, **joined}


def _planned(plan: Plan, name: str) -> list[str]:
    """List the texts that an argument has for each pair of a plan; none if it is empty.

    A plan leaves "" as it is, one string for all its pairs, and pipelines take it for none.
    """
    return [] if plan.arguments.get(name) == "" else _texts(plan.arguments, name)


def check_regions(pipe: object, family: Family) -> None:
    """Refuse a pipeline whose model does not read regions by cross-attention alone.

    Raises:
        PipelineError: says why.
    """
    reason = reason_against_regions(pipe, family)
    if reason is not None:
        raise PipelineError(
            f"This {type(pipe).__name__} cannot draw regions: {reason}.", "Draw without regions=."
        )


def reason_against_regions(pipe: object, family: Family) -> str | None:
    """Say why a pipeline cannot draw regions; None = it can."""
    reason = named_reason(pipe, _NEVER)
    if reason is not None:
        return reason
    unet = getattr(pipe, "unet", None)
    if not isinstance(unet, nn.Module):
        return "it has no UNet, whose cross-attention regions are made of"
    if TEXT not in family.returns or family.negatives_apart or family.cut:
        return f"regions are made for Stable Diffusion 1, 2 and XL, and it is {family.name}"
    reason = reason_against(pipe, family) or reason_against_and(pipe) or cache_of(pipe)
    if reason is not None:
        return reason
    if getattr(pipe, "free_noise_enabled", False):
        return "FreeNoise mixes the embeddings of neighbouring frames"
    models = [unet, getattr(pipe, "controlnet", None)]
    reasons = (_against_model(each) for each in models if isinstance(each, nn.Module))
    return next((each for each in reasons if each), None)


def _against_model(model: nn.Module) -> str | None:
    from diffusers.models.attention import BasicTransformerBlock

    name, config = type(model).__name__, getattr(model, "config", {})
    if any(getattr(each, "_compiled_call_impl", None) for each in model.modules()):
        return f"its {name} is compiled, and would be for each layer of each region"
    if isinstance(model, torch._dynamo.OptimizedModule):
        return f"its {name} is compiled, and would be for each layer of each region"
    if config.get("encoder_hid_dim_type") not in _PROJECTIONS:
        return f"its {name} mixes the rows of text before it reads them"
    if config.get("addition_embed_type") not in _ADDITIONS:
        return f"its {name} reads the rows of text in other places than cross-attention"
    own = {
        id(layer)
        for block in model.modules()
        if isinstance(block, BasicTransformerBlock)
        for layer in block.children()
    }
    layers = cross_attentions(model)
    if not layers or any(id(layer) not in own for layer in layers):
        return f"its {name} reads text otherwise than Stable Diffusion's does"
    return None
