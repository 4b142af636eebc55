"""What one call of a pipeline's `encode_prompt` asks for, and the tensors it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clipcond.conditioner import Conditioner
from clipcond.errors import PipelineError, PromptWarning
from clipcond.notices import warn

__all__ = ["Encoded", "Request", "check_width", "encode", "pooled_width"]

MANY_ROWS = 4000  # of text; a UNet of Stable Diffusion has as many rows of picture, 64 x 64


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of `encode_prompt`, by the names diffusers gives them."""

    prompt: str | Sequence[str] | None
    device: torch.device | None
    num_images_per_prompt: int
    do_classifier_free_guidance: bool
    negative_prompt: str | Sequence[str] | None = None
    prompt_embeds: Tensor | None = None
    negative_prompt_embeds: Tensor | None = None
    lora_scale: float | None = None
    clip_skip: int | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """Conditioning of a pipeline call: embeds [b S D]; negative_embeds likewise, or None."""

    embeds: Tensor
    negative_embeds: Tensor | None


def encode(pipe: Any, conditioner: Conditioner, request: Request) -> Encoded:
    """Encode what the request leaves to encode; bring positive and negative to one length.

    Embeddings that the caller passes go through. Where they are longer or shorter than the other
    side, the shorter of the two gets encoded empty chunks at its end.

    Raises:
        PipelineError: prompts and negatives that do not pair; lengths that cannot be made equal;
            embeddings that do not fit the UNet.
    """
    embeds, negative = _encoded(conditioner, request)
    if embeds.shape[1] > MANY_ROWS:
        message = (
            f"the prompts take {embeds.shape[1]} rows of text; every denoising step reads them "
            "all, and takes time and memory accordingly"
        )
        warn(PromptWarning(message, remedy="Shorten the prompt."))
    check_width(embeds.shape[-1], pipe)
    if request.do_classifier_free_guidance and negative is not None:
        if len(negative) != len(embeds):
            raise PipelineError(
                f"{len(embeds)} prompts, but {len(negative)} negative embeddings: "
                "they pair one to one."
            )
        if negative.shape[1] != embeds.shape[1]:
            empty = conditioner("", clip_skip=request.clip_skip).embeds
            rows = max(embeds.shape[1], negative.shape[1])
            embeds, negative = _lengthened(embeds, rows, empty), _lengthened(negative, rows, empty)
        negative = _placed(negative, pipe, request)
    return Encoded(_placed(embeds, pipe, request), negative)


def check_width(
    width: int, pipe: Any, remedy: str = "Use the text tower that the UNet was trained with."
) -> None:
    """Refuse embeddings that the pipeline's UNet cannot read.

    Raises:
        PipelineError: the UNet's cross-attention is of another width.
    """
    config = getattr(getattr(pipe, "unet", None), "config", {})
    projects = config.get("encoder_hid_dim_type") == "text_proj"
    expected = config.get("encoder_hid_dim" if projects else "cross_attention_dim")
    widths = list(expected) if isinstance(expected, (list, tuple)) else [expected]
    if None not in widths and width not in widths:
        names = " or ".join(dict.fromkeys(str(each) for each in widths))
        raise PipelineError(
            f"The text embeddings are {width} wide, but this pipeline's UNet reads {names}.",
            remedy,
        )


def pooled_width(pipe: Any) -> int | None:
    """P of the pooled vector that the pipeline's UNet reads beside picture sizes, as SDXL's does.

    Its second embedding takes them joined: P, and six numbers (of the refiner five) of
    `addition_time_embed_dim` values each. Source: diffusers, `_get_add_time_ids` of SDXL.
    """
    config = getattr(getattr(pipe, "unet", None), "config", {})
    if config.get("addition_embed_type") != "text_time":
        return None
    n_numbers = 5 if getattr(pipe, "config", {}).get("requires_aesthetics_score") else 6
    joined: int = config["projection_class_embeddings_input_dim"]
    return joined - n_numbers * int(config["addition_time_embed_dim"])


def _encoded(conditioner: Conditioner, request: Request) -> tuple[Tensor, Tensor | None]:
    """Positive and negative embeddings; one pass of the conditioner for what is given as text."""
    embeds, negative = request.prompt_embeds, request.negative_prompt_embeds
    clip_skip = request.clip_skip
    wants_negative = request.do_classifier_free_guidance and negative is None
    if embeds is None:
        prompts = _prompts(request.prompt)
        if wants_negative:
            negatives = _negatives(request.negative_prompt, len(prompts))
            both = conditioner.guided(prompts, negatives, clip_skip=clip_skip)
            return both.positive.embeds, both.negative.embeds
        return conditioner(prompts, clip_skip=clip_skip).embeds, negative
    if wants_negative:
        negatives = _negatives(request.negative_prompt, len(embeds))
        negative = conditioner(negatives, clip_skip=clip_skip).embeds
    return embeds, negative


def _prompts(prompt: str | Sequence[str] | None) -> list[str]:
    if prompt is None:
        raise PipelineError("There is nothing to encode: give prompt or prompt_embeds.")
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    if not prompts:
        raise PipelineError("There is nothing to encode: the list of prompts is empty.")
    for each in prompts:
        if not isinstance(each, str):
            raise PipelineError(f"A prompt is a string, not {type(each).__name__}: {each!r}")
    return prompts


def _negatives(negative: str | Sequence[str] | None, n: int) -> list[str]:
    if negative is None or isinstance(negative, str):
        return [negative or ""] * n
    negatives = _prompts(negative)
    if len(negatives) != n:
        raise PipelineError(
            f"{n} prompts, but {len(negatives)} negative prompts.",
            "Give as many, or one string for all of them.",
        )
    return negatives


def _lengthened(embeds: Tensor, rows: int, empty: Tensor) -> Tensor:
    """Append the encoded empty chunk `empty` [1 L D] to `embeds` [b S D] until S = rows."""
    n_chunks, odd = divmod(rows - embeds.shape[1], empty.shape[1])
    if odd:
        raise PipelineError(
            f"Embeddings of {embeds.shape[1]} and of {rows} rows cannot be brought to one length: "
            f"the empty chunks that fill up the shorter have {empty.shape[1]} rows."
        )
    padding = empty.to(device=embeds.device, dtype=embeds.dtype)
    return torch.cat([embeds, padding.repeat(len(embeds), n_chunks, 1)], dim=1)


def _placed(embeds: Tensor, pipe: Any, request: Request) -> Tensor:
    """To the device, dtype and number of rows the pipeline goes on with."""
    # diffusers takes the text encoder's dtype. Where that differs from the UNet's (transformers
    # keeps the dtype of the files, diffusers loads float32), its UNet stops at the first product.
    models = (getattr(pipe, name, None) for name in ("unet", "text_encoder"))
    dtype = next((model.dtype for model in models if model is not None), None)
    embeds = embeds.to(device=request.device, dtype=dtype)
    return embeds.repeat_interleave(request.num_images_per_prompt, dim=0)
