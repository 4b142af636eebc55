"""Which diffusers pipelines read CLIP text, and how: one table row a family."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clipcond.errors import PipelineError, UnknownNameError

__all__ = ["FAMILIES", "Family", "class_for_task", "family_named", "family_of"]


@dataclass(frozen=True, slots=True)
class Family:
    """One family of pipelines whose `encode_prompt` is called in one way.

    A pipeline belongs to the family by the parameters its `encode_prompt` takes, not by its class:
    text-to-image, image-to-image, inpainting and ControlNet pipelines share them.

    encoders: (text encoder, tokenizer) attributes of the pipeline, in the order in which the
        hidden states are joined.
    parameters: of `encode_prompt`, without self.
    returns: what `encode_prompt` returns, as names of `encoding.Encoded`.
    tasks: task -> the diffusers class that `build_pipeline` makes.
    """

    name: str
    encoders: tuple[tuple[str, str], ...]
    parameters: tuple[str, ...]
    returns: tuple[str, ...]
    tasks: Mapping[str, str] = field(default_factory=dict)


STABLE_DIFFUSION = Family(
    name="Stable Diffusion 1.x/2.x",
    encoders=(("text_encoder", "tokenizer"),),
    parameters=(
        "prompt",
        "device",
        "num_images_per_prompt",
        "do_classifier_free_guidance",
        "negative_prompt",
        "prompt_embeds",
        "negative_prompt_embeds",
        "lora_scale",
        "clip_skip",
    ),
    returns=("embeds", "negative_embeds"),
    tasks={
        "text2image": "StableDiffusionPipeline",
        "image2image": "StableDiffusionImg2ImgPipeline",
        "inpainting": "StableDiffusionInpaintPipeline",
    },
)

STABLE_DIFFUSION_XL = Family(
    name="Stable Diffusion XL",
    encoders=(("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2")),
    parameters=(
        "prompt",
        "prompt_2",
        "device",
        "num_images_per_prompt",
        "do_classifier_free_guidance",
        "negative_prompt",
        "negative_prompt_2",
        "prompt_embeds",
        "negative_prompt_embeds",
        "pooled_prompt_embeds",
        "negative_pooled_prompt_embeds",
        "lora_scale",
        "clip_skip",
    ),
    returns=("embeds", "negative_embeds", "pooled", "negative_pooled"),
    tasks={
        "text2image": "StableDiffusionXLPipeline",
        "image2image": "StableDiffusionXLImg2ImgPipeline",
        "inpainting": "StableDiffusionXLInpaintPipeline",
    },
)

FAMILIES: tuple[Family, ...] = (STABLE_DIFFUSION, STABLE_DIFFUSION_XL)

# Only for naming, in the error, what was found: the longest prefix of the class name counts.
_KNOWN = {
    "StableDiffusionXL": "Stable Diffusion XL",
    "StableDiffusion3": "Stable Diffusion 3",
    "StableCascade": "Stable Cascade",
    "Flux": "Flux",
    "Kolors": "Kolors",
    "HunyuanDiT": "HunyuanDiT",
    "PixArt": "PixArt",
    "Kandinsky": "Kandinsky",
    "Wan": "Wan",
    "QwenImage": "Qwen-Image",
}


def family_of(pipe: Any) -> Family:
    """The family of a diffusers pipeline.

    Raises:
        PipelineError: none of the families; says which one was found and which are supported.
    """
    encode_prompt = getattr(type(pipe), "encode_prompt", None)
    if encode_prompt is not None:
        parameters = tuple(inspect.signature(encode_prompt).parameters)[1:]
        for family in FAMILIES:
            if parameters == family.parameters:
                return family
    raise _refusal(type(pipe).__name__, has_text=encode_prompt is not None)


def family_named(class_name: str) -> Family:
    """The family whose `tasks` hold the diffusers class `class_name`.

    Raises:
        PipelineError: as for `family_of`.
    """
    for family in FAMILIES:
        if class_name in family.tasks.values():
            return family
    raise _refusal(
        class_name,
        remedy="A variant of a supported family: load it with diffusers, then attach(pipe).",
    )


def class_for_task(family: Family, task: str) -> str:
    """The diffusers class that does `task`.

    Raises:
        UnknownNameError: no such task.
    """
    if task not in family.tasks:
        raise UnknownNameError("task", task, family.tasks)
    return family.tasks[task]


def _refusal(class_name: str, *, has_text: bool = True, remedy: str = "") -> PipelineError:
    known = max((p for p in _KNOWN if class_name.startswith(p)), key=len, default=None)
    if known is not None:
        found = f"{class_name} is a {_KNOWN[known]} pipeline"
    elif has_text:
        found = f"{class_name} is a pipeline of a family that is not known here"
    else:
        found = f"{class_name} has no encode_prompt, so no text to condition"
    supported = ", ".join(family.name for family in FAMILIES)
    return PipelineError(f"{found}; supported: {supported}.", remedy)
