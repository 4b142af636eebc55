"""What one call of a pipeline's `encode_prompt` asks for, and the tensors it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import torch
from torch import Tensor

from clipcond.conditioning.checks import warn
from clipcond.conditioning.conditioner import Conditioner, Conditioning
from clipcond.errors import PipelineError, PromptWarning

__all__ = ["Encoded", "Request", "check_width", "encode", "pooled_width"]

MANY_ROWS = 4000  # of text; a UNet of Stable Diffusion has as many rows of picture, 64 x 64


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of `encode_prompt`, by the names diffusers gives them.

    Those of the second tower and of pooled vectors are SDXL's.
    """

    prompt: str | Sequence[str] | None
    device: torch.device | None
    num_images_per_prompt: int
    do_classifier_free_guidance: bool
    negative_prompt: str | Sequence[str] | None = None
    prompt_2: str | Sequence[str] | None = None
    negative_prompt_2: str | Sequence[str] | None = None
    prompt_embeds: Tensor | None = None
    negative_prompt_embeds: Tensor | None = None
    pooled_prompt_embeds: Tensor | None = None
    negative_pooled_prompt_embeds: Tensor | None = None
    lora_scale: float | None = None
    clip_skip: int | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """Conditioning of a pipeline call: embeds [b S D], pooled [b P]; the negatives likewise.

    Each is None where the call wants none.
    """

    embeds: Tensor
    negative_embeds: Tensor | None
    pooled: Tensor | None = None
    negative_pooled: Tensor | None = None


def encode(pipe: Any, conditioner: Conditioner, request: Request) -> Encoded:
    """Encode what the request leaves to encode; bring positive and negative to one length.

    Embeddings that the caller passes go through. Where they are longer or shorter than the other
    side, the shorter of the two gets encoded empty chunks at its end, and zeros get zeros.

    Raises:
        PipelineError: prompts and negatives that do not pair; lengths that cannot be made equal;
            embeddings that do not fit the UNet.
    """
    positive, negative = _encoded(pipe, conditioner, request)
    embeds = positive.embeds
    if embeds.shape[1] > MANY_ROWS:
        message = (
            f"the prompts take {embeds.shape[1]} rows of text; every denoising step reads them "
            "all, and takes time and memory accordingly"
        )
        warn(PromptWarning(message, remedy="Shorten the prompt."))
    check_width(embeds.shape[-1], pipe)
    if negative is None:
        return Encoded(
            _placed(embeds, pipe, request), None, _placed(positive.pooled, pipe, request)
        )
    others = negative.embeds
    if request.do_classifier_free_guidance:
        if len(others) != len(embeds):
            raise PipelineError(
                f"{len(embeds)} prompts, but {len(others)} negative embeddings: "
                "they pair one to one."
            )
        if others.shape[1] != embeds.shape[1]:
            empty = conditioner("", clip_skip=request.clip_skip).embeds
            rows = max(embeds.shape[1], others.shape[1])
            embeds, others = _lengthened(embeds, rows, empty), _lengthened(others, rows, empty)
        others = _placed(others, pipe, request)
    return Encoded(
        _placed(embeds, pipe, request),
        others,
        _placed(positive.pooled, pipe, request),
        _placed(negative.pooled, pipe, request),
    )


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


def _encoded(
    pipe: Any, conditioner: Conditioner, request: Request
) -> tuple[Conditioning, Conditioning | None]:
    """Positive and negative; one pass of the conditioner for what is given as text."""
    seconds = request.prompt_2 or None, request.negative_prompt_2 or None
    if seconds != (None, None) and len(conditioner.towers) == 1:
        warn(PromptWarning("prompt_2 is not read: one tower stands for the pair"))
    choices: dict[str, Any] = {"clip_skip": request.clip_skip, "prompts_2": seconds[0]}
    negative = None
    if request.negative_prompt_embeds is not None:
        negative = Conditioning(
            request.negative_prompt_embeds, request.negative_pooled_prompt_embeds
        )
    wants_negative = request.do_classifier_free_guidance and negative is None
    if request.prompt_embeds is not None:
        positive = Conditioning(request.prompt_embeds, request.pooled_prompt_embeds)
        if wants_negative:
            negatives = _negatives(pipe, request, len(positive.embeds))
            # the prompts beside them are the same, so that they cost nothing
            prompts = negatives or [""] * len(positive.embeds)
            negative = conditioner.guided(
                prompts, negatives, request.clip_skip, negatives_2=seconds[1]
            ).negative
        return positive, negative
    prompts = _prompts(request.prompt)
    if not wants_negative:
        positive = conditioner(prompts, **choices)
        return _with_pooled(positive, request.pooled_prompt_embeds), negative
    negatives = _negatives(pipe, request, len(prompts))
    both = conditioner.guided(prompts, negatives, **choices, negatives_2=seconds[1])
    return (
        _with_pooled(both.positive, request.pooled_prompt_embeds),
        _with_pooled(both.negative, request.negative_pooled_prompt_embeds),
    )


def _with_pooled(conditioning: Conditioning, pooled: Tensor | None) -> Conditioning:
    return conditioning if pooled is None else replace(conditioning, pooled=pooled)


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


def _negatives(pipe: Any, request: Request, n: int) -> list[str] | None:
    """As many negatives as prompts; None = none at all, where the model takes zeros for that."""
    negative = request.negative_prompt
    if negative is None and getattr(pipe, "config", {}).get("force_zeros_for_empty_prompt"):
        return None
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
    if not bool(embeds.any()):  # zeros, as SDXL has it for no negative, stay zeros
        padding = torch.zeros_like(padding)
    return torch.cat([embeds, padding.repeat(len(embeds), n_chunks, 1)], dim=1)


@overload
def _placed(tensor: Tensor, pipe: Any, request: Request) -> Tensor: ...
@overload
def _placed(tensor: None, pipe: Any, request: Request) -> None: ...
def _placed(tensor: Tensor | None, pipe: Any, request: Request) -> Tensor | None:
    """To the device, dtype and number of rows the pipeline goes on with."""
    if tensor is None:
        return None
    # diffusers takes the text encoder's dtype. Where that differs from the UNet's (transformers
    # keeps the dtype of the files, diffusers loads float32), its UNet stops at the first product.
    models = (getattr(pipe, name, None) for name in ("unet", "text_encoder"))
    dtype = next((model.dtype for model in models if model is not None), None)
    device = request.device or getattr(pipe, "_execution_device", None)
    tensor = tensor.to(device=device, dtype=dtype)
    return tensor.repeat_interleave(request.num_images_per_prompt, dim=0)
