"""Text blocks for diffusers' modular pipelines: prompts go through a Conditioner.

`pipe.blocks.sub_blocks["text_encoder"] = ClipcondXLTextStep(clip_skip=2)` in a block of SDXL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import torch
from diffusers.configuration_utils import FrozenDict
from diffusers.guiders import ClassifierFreeGuidance
from diffusers.modular_pipelines.modular_pipeline import ModularPipelineBlocks, PipelineState
from diffusers.modular_pipelines.modular_pipeline_utils import (
    ComponentSpec,
    InputParam,
    OutputParam,
)
from diffusers.modular_pipelines.stable_diffusion_xl.encoders import (
    StableDiffusionXLTextEncoderStep,
)
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from clipcond.conditioning.conditioner import Conditioner
from clipcond.pipelines.families import STABLE_DIFFUSION, STABLE_DIFFUSION_XL
from clipcond.pipelines.family import Family
from clipcond.pipelines.lora_scale import lora_scaled
from clipcond.pipelines.own_calls import marks_of
from clipcond.pipelines.own_encoders import towers_of
from clipcond.pipelines.pairing import check_pairs
from clipcond.pipelines.prompt_embeds import EncodePromptArguments, make_prompt_embeds
from clipcond.pipelines.protocols import ConditionedPipeline
from clipcond.pipelines.steps import check_step_count, encode_over_time


class _Encoding:
    """What encodes the prompts of a modular pipeline: a Conditioner around its components."""

    pipe: ConditionedPipeline

    def __init__(self, family: Family, choices: dict[str, Any]) -> None:
        self.family = family
        self._choices = {**choices}
        self._step_count = check_step_count(self._choices.pop("step_count", "a1111"))
        self._made: Conditioner | None = None
        self._made_from: tuple[Any, ...] = ()
        self._marks: list[tuple[object, ...]] = []

    @property
    def conditioner(self) -> Conditioner:
        components = self.family.parts_of(self.pipe)
        if self._made is None or marks_of(components) != self._marks:
            self._made = Conditioner(*towers_of(self.pipe, self.family), **self._choices)
            self._made_from, self._marks = components, marks_of(components)
        return self._made

    def move_tower(self, device: torch.device | None) -> None:
        """Leave the pipeline's own text encoders where they are."""

    @torch.no_grad()
    def encode(
        self, pipe: ConditionedPipeline, call: EncodePromptArguments
    ) -> tuple[Tensor | None, ...]:
        """Encode the prompts of a call with the pipeline's components of now."""
        self.pipe = pipe
        arguments = {each.name: getattr(call, each.name) for each in fields(call)}
        check_pairs(arguments)
        return encode_over_time(self, arguments, self._encode_plain, self._step_count)

    def _encode_plain(self, arguments: Mapping[str, Any]) -> tuple[Tensor | None, ...]:
        call = EncodePromptArguments(**arguments)
        with lora_scaled(self.pipe, self.family.encoder_names, call.lora_scale):
            made = make_prompt_embeds(self, call)
        return tuple(getattr(made, name) for name in self.family.returns)


class ClipcondXLTextStep(StableDiffusionXLTextEncoderStep):
    """SDXL's text block with prompts as clipcond reads them.

    Args:
        choices: arguments of `Conditioner`: dialect, clip_skip, weighting, ...; and `step_count`,
            as for `attach`.
    """

    def __init__(self, **choices: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._encoding = _Encoding(STABLE_DIFFUSION_XL, choices)

    def encode_prompt(  # type: ignore[override]  # a static method there, called on the instance
        self,
        components: ConditionedPipeline,
        prompt: str | list[str],
        prompt_2: str | list[str] | None = None,
        device: torch.device | None = None,
        num_images_per_prompt: int = 1,
        prepare_unconditional_embeds: bool = True,
        negative_prompt: str | list[str] | None = None,
        negative_prompt_2: str | list[str] | None = None,
        **more: Any,
    ) -> tuple[Tensor | None, ...]:
        """Encode prompts: embeds and negative_embeds [b S D], pooled and negative_pooled [b P]."""
        call = EncodePromptArguments(
            prompt,
            device,
            num_images_per_prompt,
            prepare_unconditional_embeds,
            negative_prompt,
            prompt_2,
            negative_prompt_2,
            **more,
        )
        return self._encoding.encode(components, call)


class ClipcondTextStep(ModularPipelineBlocks):
    """A text block for modular pipelines of Stable Diffusion 1.x and 2.x.

    Args:
        choices: arguments of `Conditioner`: dialect, clip_skip, weighting, ...; and `step_count`,
            as for `attach`.
    """

    model_name: Any = "stable-diffusion"

    def __init__(self, **choices: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._encoding = _Encoding(STABLE_DIFFUSION, choices)

    @property
    def description(self) -> str:
        return "Text encoder step: prompts with weights, of any length, through clipcond"

    @property
    def expected_components(self) -> list[ComponentSpec]:
        guidance = FrozenDict({"guidance_scale": 7.5})
        return [
            ComponentSpec("text_encoder", CLIPTextModel),
            ComponentSpec("tokenizer", CLIPTokenizer),
            ComponentSpec(
                "guider",
                ClassifierFreeGuidance,
                config=guidance,
                default_creation_method="from_config",
            ),
        ]

    @property
    def inputs(self) -> list[InputParam]:
        return [InputParam(name) for name in ("prompt", "negative_prompt", "clip_skip")]

    @property
    def intermediate_outputs(self) -> list[OutputParam]:
        return [
            OutputParam(name, type_hint=Tensor, kwargs_type="denoiser_input_fields")
            for name in ("prompt_embeds", "negative_prompt_embeds")
        ]

    @torch.no_grad()
    def __call__(self, components: ConditionedPipeline, state: PipelineState) -> tuple[Any, Any]:
        """Encode the prompts of the state."""
        block: Any = self.get_block_state(state)
        call = EncodePromptArguments(
            block.prompt,
            components._execution_device,
            do_classifier_free_guidance=components.guider.num_conditions > 1,
            negative_prompt=block.negative_prompt,
            clip_skip=block.clip_skip,
        )
        made = self._encoding.encode(components, call)
        block.prompt_embeds, block.negative_prompt_embeds = made
        self.set_block_state(state, block)
        return components, state
