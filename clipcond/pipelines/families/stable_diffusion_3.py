"""Stable Diffusion 3: rows of a pair of CLIP towers, then rows of T5; both towers' pooled vectors.

Both towers are encoded as the dialect has it, clip skip for the negative too. T5 is run by
diffusers' own code on the words of the prompt, without weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from clipcond.conditioning.explaining import ModelReads
from clipcond.errors import PipelineError
from clipcond.pipelines.call_context import at_least
from clipcond.pipelines.families.words import words_of
from clipcond.pipelines.family import Encoding, Family
from clipcond.pipelines.lora_scale import lora_scaled
from clipcond.pipelines.prompt_embeds import (
    EncodePromptArguments,
    PromptEmbeds,
    make_prompt_embeds,
    model_dtype,
    read_arguments,
)
from clipcond.towers import HiddenLayer

T5_AT_ONCE = 16  # texts; a prompt over time has as many as it has steps


def _encode(encoding: Encoding, arguments: Mapping[str, Any]) -> tuple[Tensor | None, ...]:
    """Encode a call's prompts and negatives; embeddings that the caller passes go through.

    Returns:
        embeds and negative_embeds [b S D], pooled and negative_pooled [b P].
    """
    pipe, call = encoding.pipe, read_arguments(encoding.pipe, arguments)
    mine, negative, guided = (
        call.prompt_embeds, call.negative_prompt_embeds, call.do_classifier_free_guidance
    )  # fmt: skip
    pooled, negative_pooled = call.pooled_prompt_embeds, call.negative_pooled_prompt_embeds
    if mine is not None and (negative is not None or not guided):
        return mine, negative, pooled, negative_pooled
    with lora_scaled(pipe, encoding.family.encoder_names, call.lora_scale):
        if mine is not None:
            negative, negative_pooled = _one(encoding, call, arguments, "negative_prompt", mine)
            return mine, negative, pooled, negative_pooled
        if negative is not None and guided:
            mine, pooled = _one(encoding, call, arguments, "prompt", negative)
            return mine, negative, pooled, negative_pooled
        made = _both(encoding, call, arguments)
    return made.embeds, made.negative_embeds, made.pooled, made.negative_pooled


def _both(
    encoding: Encoding, call: EncodePromptArguments, arguments: Mapping[str, Any]
) -> PromptEmbeds:
    """Encode prompts and negatives as text, equally long."""
    made = make_prompt_embeds(encoding, call)
    n = len(made.embeds) // call.num_images_per_prompt
    embeds = _with_t5(encoding, arguments, made.embeds, "prompt", n)
    if made.negative_embeds is None or not call.do_classifier_free_guidance:
        return made._replace(embeds=embeds, negative_embeds=call.negative_prompt_embeds)
    negative = _with_t5(encoding, arguments, made.negative_embeds, "negative_prompt", n)
    return made._replace(embeds=embeds, negative_embeds=negative)


def _one(
    encoding: Encoding,
    call: EncodePromptArguments,
    arguments: Mapping[str, Any],
    name: str,
    other: Tensor,
) -> tuple[Tensor, Tensor | None]:
    """Encode prompts, or negatives, as long as the `other` embeddings: embeds and pooled."""
    first, n = arguments[name] or "", len(other) // call.num_images_per_prompt
    texts = [first] * max(n, 1) if isinstance(first, str) else first
    alone = EncodePromptArguments(
        texts,
        call.device,
        call.num_images_per_prompt,
        do_classifier_free_guidance=False,
        prompt_2=arguments[f"{name}_2"],
        clip_skip=call.clip_skip,
    )
    rows = other.shape[1] - int(arguments["max_sequence_length"])
    with at_least(rows):
        made = make_prompt_embeds(encoding, alone)
    if made.embeds.shape[1] != rows:
        raise PipelineError(
            f"The embeddings that were passed have {rows} rows of CLIP, the other prompt has "
            f"{made.embeds.shape[1]}: they cannot be brought to one length.",
            "Encode both prompts in one call of encode_prompt.",
        )
    return _with_t5(encoding, arguments, made.embeds, name, len(texts)), made.pooled


def _with_t5(
    encoding: Encoding, arguments: Mapping[str, Any], embeds: Tensor, name: str, n: int
) -> Tensor:
    """Append T5's rows to those of the CLIP towers, which are padded to T5's width."""
    pipe, is_negative = encoding.pipe, name == "negative_prompt"
    text = arguments[f"{name}_3"] or arguments[name] or ""
    texts: Sequence[str] = [text] * n if isinstance(text, str) else text
    words = [*words_of(encoding.conditioner, texts, negative=is_negative)]
    choices = {
        "num_images_per_prompt": arguments["num_images_per_prompt"],
        "max_sequence_length": arguments["max_sequence_length"],
        "device": embeds.device,
    }
    batches = [words[i : i + T5_AT_ONCE] for i in range(0, len(words), T5_AT_ONCE)]
    each = [pipe._get_t5_prompt_embeds(prompt=batch, **choices) for batch in batches]
    t5 = torch.cat(each).to(embeds.device, model_dtype(pipe))
    return torch.cat([pad(embeds, (0, t5.shape[-1] - embeds.shape[-1])), t5], dim=1)


_EMBEDS = ("prompt_embeds", "pooled_prompt_embeds")
_PROMPTS = ("prompt", "prompt_2", "prompt_3")

STABLE_DIFFUSION_3 = Family(
    name="Stable Diffusion 3",
    encoders=(("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2")),
    required=frozenset(f"{start}{n}" for start in ("", "negative_") for n in (*_PROMPTS, *_EMBEDS)),
    optional=frozenset(
        {"device", "num_images_per_prompt", "do_classifier_free_guidance", "clip_skip"}
        | {"max_sequence_length", "lora_scale"}
    ),
    reads=ModelReads(HiddenLayer(2, final_norm=False), (True, True)),
    returns=("embeds", "negative_embeds", "pooled", "negative_pooled"),
    encode=_encode,
    note="both CLIP towers; T5 gets the words",
)
