"""Stable Diffusion 1.x, 2.x, XL and what has their `encode_prompt`, or an older one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from clipcond.conditioning.explaining import ModelReads
from clipcond.pipelines.call_context import at_least
from clipcond.pipelines.family import (
    OF_CALL,
    PROMPTS,
    Encoding,
    Family,
    component_kind,
    has_component,
)
from clipcond.pipelines.prompt_embeds import make_prompt_embeds, read_arguments
from clipcond.towers import HiddenLayer

PAIR = (("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2"))
_POOLED = frozenset({"pooled_prompt_embeds", "negative_pooled_prompt_embeds"})
_CHOICES = frozenset({"lora_scale", "clip_skip"})
_ALL_FOUR = ("embeds", "negative_embeds", "pooled", "negative_pooled")


def _is_refiner(pipe: object) -> bool:
    """Whether the second text encoder is there alone, and the UNet reads nothing more."""
    if component_kind(pipe, "text_encoder") or not component_kind(pipe, "text_encoder_2"):
        return False
    width = getattr(getattr(pipe, "unet", None), "config", {}).get("cross_attention_dim")
    own = getattr(vars(pipe).get("text_encoder_2"), "config", None)
    return width is not None and width == getattr(own, "hidden_size", None)


STABLE_DIFFUSION = Family(
    name="Stable Diffusion 1.x/2.x",
    encoders=PAIR[:1],
    required=PROMPTS,
    optional=OF_CALL | _CHOICES,
    returns=("embeds", "negative_embeds"),
    masks=None,
    further_test=partial(has_component, "unet"),
    tasks={
        "text2image": "StableDiffusionPipeline",
        "image2image": "StableDiffusionImg2ImgPipeline",
        "inpainting": "StableDiffusionInpaintPipeline",
    },
)

STABLE_DIFFUSION_XL = Family(
    name="Stable Diffusion XL",
    encoders=PAIR,
    required=PROMPTS | _POOLED | {"prompt_2", "negative_prompt_2"},
    optional=OF_CALL | _CHOICES,
    returns=_ALL_FOUR,
    tasks={
        "text2image": "StableDiffusionXLPipeline",
        "image2image": "StableDiffusionXLImg2ImgPipeline",
        "inpainting": "StableDiffusionXLInpaintPipeline",
    },
)

REFINER = replace(
    STABLE_DIFFUSION_XL,
    name="Stable Diffusion XL refiner",
    encoders=PAIR[1:],
    reads=ModelReads(HiddenLayer(2, final_norm=False), (True,), zero_negative=True),
    further_test=_is_refiner,
    tasks={},
)

UNIDIFFUSER = replace(
    STABLE_DIFFUSION,
    name="UniDiffuser",
    encoders=(("text_encoder", "clip_tokenizer"),),
    further_test=partial(has_component, "text_decoder"),
    n_chunks=1,
    tasks={},
)

LATENT_UPSCALE = Family(
    name="Stable Diffusion latent upscaler",
    encoders=PAIR[:1],
    required=PROMPTS | _POOLED,
    optional=OF_CALL | _CHOICES,
    returns=_ALL_FOUR,
    reads=ModelReads(HiddenLayer(1, final_norm=False), (True,)),
)

INSTRUCT_PIX2PIX = Family(
    name="InstructPix2Pix",
    encoders=PAIR[:1],
    required=PROMPTS,
    optional=OF_CALL | _CHOICES,
    returns=("embeds", "negative_embeds"),
    masks=None,
    method="_encode_prompt",
    joins=(("embeds", "negative_embeds", "negative_embeds"),),
)


def _encode_safe(encoding: Encoding, arguments: Mapping[str, Any]) -> tuple[Tensor | None, ...]:
    """Encode negatives and prompts, and with guidance the safety concept."""
    call = read_arguments(encoding.pipe, arguments)
    made = make_prompt_embeds(encoding, call)
    if made.negative_embeds is None or not call.do_classifier_free_guidance:
        return None, made.embeds, None
    concept = None
    if arguments["enable_safety_guidance"]:
        n = len(made.embeds) // call.num_images_per_prompt
        texts = [encoding.pipe._safety_text_concept] * n
        alone = replace(call, prompt=texts, do_classifier_free_guidance=False)
        with at_least(made.embeds.shape[1]):
            concept = make_prompt_embeds(encoding, alone).embeds
    return made.negative_embeds, made.embeds, concept


# the concept is there with guidance only, as negatives are
_SAFE = ("negative_embeds", "embeds", "negative_concept")

SAFE = Family(
    name="Stable Diffusion Safe",
    encoders=PAIR[:1],
    required=frozenset({"prompt", "negative_prompt", "enable_safety_guidance"}),
    optional=OF_CALL,
    returns=_SAFE,
    masks=None,
    method="_encode_prompt",
    joins=(_SAFE,),
    encode=_encode_safe,
)

# Those with a narrower predicate come first.
STABLE_DIFFUSION_FAMILIES: tuple[Family, ...] = (
    *(REFINER, UNIDIFFUSER, STABLE_DIFFUSION, STABLE_DIFFUSION_XL),
    *(LATENT_UPSCALE, INSTRUCT_PIX2PIX, SAFE),
)
