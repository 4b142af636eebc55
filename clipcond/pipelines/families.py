"""Which diffusers pipelines read CLIP text, and how: one table row a family."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field

from clipcond.errors import PipelineError, UnknownNameError

__all__ = ["FAMILIES", "Family", "class_for_task", "family_named", "family_of"]


@dataclass(frozen=True, slots=True)
class Family:
    """A family of pipelines: all those whose `encode_prompt` takes the same parameters.

    The class does not matter: text-to-image, image-to-image, inpainting and ControlNet pipelines
    share their parameters.

    encoders: (text encoder, tokenizer) attributes of the pipeline, in the order in which the
        hidden states are joined.
    parameters: those of `encode_prompt`, without self.
    returns: what `encode_prompt` returns, as fields of `prompt_embeds.PromptEmbeds`.
    tasks: task -> the diffusers class that `build_pipeline` makes.
    """

    name: str
    encoders: tuple[tuple[str, str], ...]
    parameters: tuple[str, ...]
    returns: tuple[str, ...]
    tasks: Mapping[str, str] = field(default_factory=dict)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STABLE_DIFFUSION = Family(
    name="Stable Diffusion 1.x/2.x",
    encoders=(("text_encoder", "tokenizer"),),
    parameters=_names(
        "prompt device num_images_per_prompt do_classifier_free_guidance negative_prompt "
        "prompt_embeds negative_prompt_embeds lora_scale clip_skip"
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
    parameters=_names(
        "prompt prompt_2 device num_images_per_prompt do_classifier_free_guidance "
        "negative_prompt negative_prompt_2 prompt_embeds negative_prompt_embeds "
        "pooled_prompt_embeds negative_pooled_prompt_embeds lora_scale clip_skip"
    ),
    returns=("embeds", "negative_embeds", "pooled", "negative_pooled"),
    tasks={
        "text2image": "StableDiffusionXLPipeline",
        "image2image": "StableDiffusionXLImg2ImgPipeline",
        "inpainting": "StableDiffusionXLInpaintPipeline",
    },
)

FAMILIES: tuple[Family, ...] = (STABLE_DIFFUSION, STABLE_DIFFUSION_XL)

# Families that the error names when it refuses them; the longest prefix of the class name counts.
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


def family_of(pipe: object) -> Family:
    """Find the family of a diffusers pipeline.

    Raises:
        PipelineError: the pipeline is of no supported family; names its own and these.
    """
    encode_prompt = getattr(type(pipe), "encode_prompt", None)
    if encode_prompt is not None:
        parameters = tuple(inspect.signature(encode_prompt).parameters)[1:]
        for family in FAMILIES:
            if parameters == family.parameters:
                return family
    raise _refusal(type(pipe).__name__, has_text=encode_prompt is not None)


def family_named(class_name: str) -> Family:
    """Find the family that has the diffusers class `class_name` for a task.

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
    """Name the diffusers class that does `task`.

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
