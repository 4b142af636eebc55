"""The arguments of a pipeline's `encode_prompt`, and the tensors that answer them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from clipcond.chunking import common_length
from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.prompt_text import list_prompts
from clipcond.conditioning.results import Conditioning, zeros_like
from clipcond.errors import PipelineError, PromptWarning, counted, warn
from clipcond.pipelines.call_context import CLIP_SKIP, LEAST_ROWS
from clipcond.pipelines.family import RENAMED, Encoding
from clipcond.prompt.reduction import CHANGING

_GUIDED = "do_classifier_free_guidance"
_NO_LISTS = (str, bytes, bytearray, Mapping)  # iterable all the same
MANY_ROWS = 4000  # of text; a UNet of Stable Diffusion has as many rows of picture, 64 x 64


@dataclass(frozen=True, slots=True)
class EncodePromptArguments:
    """The arguments of `encode_prompt`, by the names diffusers gives them.

    Those of the second tower and of pooled vectors are SDXL's.
    """

    prompt: str | Sequence[str] | None
    device: torch.device | None = None
    num_images_per_prompt: int = 1
    do_classifier_free_guidance: bool = True
    negative_prompt: str | Sequence[str] | None = None
    prompt_2: str | Sequence[str] | None = None
    negative_prompt_2: str | Sequence[str] | None = None
    prompt_embeds: Tensor | None = None
    negative_prompt_embeds: Tensor | None = None
    pooled_prompt_embeds: Tensor | None = None
    negative_pooled_prompt_embeds: Tensor | None = None
    lora_scale: float | None = None
    clip_skip: int | None = None


class PromptEmbeds(NamedTuple):
    """The result of `encode_prompt`: embeds [b S D], pooled [b P]; the negatives likewise.

    Each is None where the call wants none.
    """

    embeds: Tensor
    negative_embeds: Tensor | None
    pooled: Tensor | None = None
    negative_pooled: Tensor | None = None


_KNOWN = frozenset(each.name for each in fields(EncodePromptArguments))


def read_arguments(pipe: object, arguments: Mapping[str, Any]) -> EncodePromptArguments:
    """Read a method's arguments; what it has no argument for is an attribute of the pipeline."""
    named = {RENAMED.get(name, name): value for name, value in arguments.items()}
    named |= {} if _GUIDED in named else {_GUIDED: getattr(pipe, _GUIDED, True)}
    if named.get("clip_skip") is None:
        named["clip_skip"] = CLIP_SKIP.get()
    return EncodePromptArguments(**{name: named[name] for name in _KNOWN & named.keys()})


def make_prompt_embeds(encoding: Encoding, call: EncodePromptArguments) -> PromptEmbeds:
    """Encode the prompts of a call; bring positive and negative to one length.

    Embeddings that the caller passes go through. Where they are longer or shorter than the other
    side, the shorter of the two gets encoded empty chunks at its end, and zeros get zeros.

    Raises:
        PipelineError: prompts and negatives that do not pair; lengths that cannot be made equal;
            embeddings that do not fit the UNet.
    """
    pipe = encoding.pipe
    positive, negative = _condition(encoding, call)
    embeds, negative_embeds = positive.embeds, None if negative is None else negative.embeds
    if embeds.shape[1] > MANY_ROWS:
        message = (
            f"the prompts take {embeds.shape[1]} rows of text; every denoising step reads them "
            "all, and takes time and memory accordingly"
        )
        warn(PromptWarning(message, remedy="Shorten the prompt."))
    check_width(embeds.shape[-1], pipe)
    if negative_embeds is not None and call.do_classifier_free_guidance:
        if len(negative_embeds) != len(embeds):
            raise PipelineError(
                f"{counted(len(embeds), 'prompt')}, but "
                f"{counted(len(negative_embeds), 'negative embedding')}: "
                "they pair one to one."
            )
        lengths = {embeds.shape[1], negative_embeds.shape[1]}
        repeats = len(lengths) > 1 and encoding.conditioner.dialect.repeats
        rows = max(common_length(lengths, repeats=repeats), LEAST_ROWS.get())
        negative_embeds = _lengthened(negative_embeds, rows, encoding, call)
        negative_embeds = _for_the_models(negative_embeds, pipe, call)
    else:
        rows = max(embeds.shape[1], LEAST_ROWS.get())
    embeds = _lengthened(embeds, rows, encoding, call)
    pooled, negative_pooled = (
        None if each is None or each.pooled is None else _for_the_models(each.pooled, pipe, call)
        for each in (positive, negative)
    )
    embeds = _for_the_models(embeds, pipe, call)
    return PromptEmbeds(embeds, negative_embeds, pooled, negative_pooled)


def may_change(arguments: Mapping[str, Any]) -> bool:
    """Whether a text has a sign of editing or AND; most have none, and take the short way."""
    lists = (v if isinstance(v, list | tuple) else (v,) for v in arguments.values())
    texts = (text for each in lists for text in each if isinstance(text, str))
    return any(sign in text for text in texts for sign in CHANGING)


def check_width(
    width: int, pipe: object, remedy: str = "Use the text tower that the UNet was trained with."
) -> None:
    """Refuse embeddings that the pipeline's UNet cannot read.

    Raises:
        PipelineError: the UNet's cross-attention is of another width.
    """
    config = config_of(getattr(pipe, "unet", None))
    projects = config.get("encoder_hid_dim_type") == "text_proj"
    expected = config.get("encoder_hid_dim" if projects else "cross_attention_dim")
    widths = list(expected) if isinstance(expected, (list, tuple)) else [expected]
    if None not in widths and width not in widths:
        names = " or ".join(dict.fromkeys(str(each) for each in widths))
        raise PipelineError(
            f"The text embeddings are {width} wide, but this pipeline's UNet reads {names}.",
            remedy,
        )


def config_of(part: object) -> Mapping[str, Any]:
    """Get the configuration of a pipeline or of its part; empty where it has none."""
    return getattr(part, "config", {})


def pooled_width(pipe: object) -> int | None:
    """Compute P of the pooled vector that the pipeline's UNet reads; None = it reads none.

    Its second embedding takes pooled vector and picture sizes joined: P, and six numbers (of the
    refiner five) of `addition_time_embed_dim` values each.
    Source: diffusers, `_get_add_time_ids` of SDXL.
    """
    config = config_of(getattr(pipe, "unet", None))
    if config.get("addition_embed_type") != "text_time":
        return None
    n_numbers = 5 if config_of(pipe).get("requires_aesthetics_score") else 6
    joined: int = config["projection_class_embeddings_input_dim"]
    return joined - n_numbers * int(config["addition_time_embed_dim"])


def model_dtype(pipe: object) -> torch.dtype | None:
    """Find the dtype that the UNet reads embeddings in; without a UNet, that of the text encoder.

    diffusers takes the text encoder's. Where that differs from the UNet's (transformers keeps the
    dtype of the files, diffusers loads float32), its UNet stops at the first product.
    """
    models = (getattr(pipe, name, None) for name in ("unet", "text_encoder"))
    return next((model.dtype for model in models if model is not None), None)


def _condition(
    encoding: Encoding, call: EncodePromptArguments
) -> tuple[Conditioning, Conditioning | None]:
    """Encode positive and negative, in one pass what is given as text."""
    prompt_2, negative_2 = call.prompt_2 or None, call.negative_prompt_2 or None
    negative = None
    if call.negative_prompt_embeds is not None:
        negative = Conditioning(call.negative_prompt_embeds, call.negative_pooled_prompt_embeds)
    wants_negative = call.do_classifier_free_guidance and negative is None
    if call.prompt_embeds is not None:
        positive = Conditioning(call.prompt_embeds, call.pooled_prompt_embeds)
        if wants_negative:
            negatives = given_negatives(encoding.pipe, call, len(positive.embeds))
            if negatives is None and None in components_of(encoding):
                return positive, zeros_like(positive)
            # the negatives are prompts here too: encoded once, they cost nothing more
            prompts = negatives or [""] * len(positive.embeds)
            conditioner = _conditioner(encoding, call)
            negative_2 = _read_negative_2(conditioner, negatives, negative_2)
            both = conditioner.guided(prompts, negatives, call.clip_skip, negatives_2=negative_2)
            negative = both.negative
        return positive, negative
    prompts, conditioner = given_prompts(call.prompt), _conditioner(encoding, call)
    prompt_2 = prompt_2 if len(conditioner.towers) > 1 else None  # `_conditioner` has warned
    if not wants_negative:
        positive = conditioner(prompts, call.clip_skip, prompts_2=prompt_2)
        return _with_pooled(positive, call.pooled_prompt_embeds), negative
    negatives = given_negatives(encoding.pipe, call, len(prompts))
    negative_2 = _read_negative_2(conditioner, negatives, negative_2)
    both = conditioner.guided(
        prompts, negatives, call.clip_skip, prompts_2=prompt_2, negatives_2=negative_2
    )
    return (
        _with_pooled(both.positive, call.pooled_prompt_embeds),
        _with_pooled(both.negative, call.negative_pooled_prompt_embeds),
    )


def _read_negative_2(
    conditioner: Conditioner, negatives: list[str] | None, negative_2: str | Sequence[str] | None
) -> str | Sequence[str] | None:
    """Choose the second tower's negative; None where plain diffusers has zeros for both."""
    if len(conditioner.towers) == 1:
        return None
    gives_zeros = partial(conditioner.reads.gives_zeros, dialect=conditioner.dialect)
    if negatives is not None or not negative_2 or not gives_zeros(None) or gives_zeros([""]):
        return negative_2
    message = "negative_prompt_2 is not read without negative_prompt: plain diffusers has zeros"
    warn(PromptWarning(message, remedy="Pass negative_prompt='' as well."))
    return None


def components_of(encoding: Encoding) -> tuple[object, ...]:
    """List the pipeline's text encoders and tokenizers; None = it has none."""
    return tuple(getattr(encoding.pipe, name, None) for name in encoding.family.components)


def _conditioner(encoding: Encoding, call: EncodePromptArguments) -> Conditioner:
    """Take the Conditioner, now that text is to be encoded; warn of what it does not read."""
    conditioner = encoding.conditioner
    if (call.prompt_2 or call.negative_prompt_2) and len(conditioner.towers) == 1:
        is_pair = len(encoding.family.encoders) > 1
        why = "one tower replaces the pair" if is_pair else "this pipeline has one text encoder"
        warn(PromptWarning(f"prompt_2 is not read: {why}"))
    return conditioner


def _with_pooled(conditioning: Conditioning, pooled: Tensor | None) -> Conditioning:
    return conditioning if pooled is None else replace(conditioning, pooled=pooled)


def given_prompts(prompt: str | Sequence[str] | None, what: str = "prompt") -> list[str]:
    """List the prompts of a call.

    Raises:
        PipelineError: neither prompts nor embeddings are given.
        PromptError, PromptTypeError: as for a Conditioner.
    """
    if prompt is None:
        raise PipelineError("There is nothing to encode: give prompt or prompt_embeds.")
    is_other = isinstance(prompt, Iterable) and not isinstance(prompt, _NO_LISTS)
    return list_prompts(list(prompt) if is_other else prompt, what)


def given_negatives(pipe: object, call: EncodePromptArguments, n: int) -> list[str] | None:
    """List as many negatives as prompts; None where the model takes zeros for none."""
    negative = call.negative_prompt
    if negative is None and config_of(pipe).get("force_zeros_for_empty_prompt"):
        return None
    if negative is None or isinstance(negative, str):
        return [negative or ""] * n
    return given_prompts(negative, "negative prompt")


def _lengthened(
    embeds: Tensor, rows: int, encoding: Encoding, call: EncodePromptArguments
) -> Tensor:
    """Bring `embeds` [b S D] to S = rows by empty chunks, or repeated where the dialect does so."""
    n_times, rest = divmod(rows, embeds.shape[1])
    if not rest and (n_times == 1 or encoding.conditioner.dialect.repeats):
        return embeds.repeat(1, n_times, 1) if n_times > 1 else embeds
    empty = encoding.conditioner("", clip_skip=call.clip_skip).embeds
    n_chunks, odd = divmod(rows - embeds.shape[1], empty.shape[1])
    if odd:
        raise PipelineError(
            f"Embeddings of {embeds.shape[1]} and of {rows} rows cannot be brought to one length: "
            f"the empty chunks that fill up the shorter have {empty.shape[1]} rows."
        )
    padding = empty.to(device=embeds.device, dtype=embeds.dtype)
    padding = padding.repeat(len(embeds), n_chunks, 1)
    padding[~embeds.flatten(1).any(dim=1)] = 0  # zeros, as SDXL's for no negative, stay zeros
    return torch.cat([embeds, padding], dim=1)


def _for_the_models(tensor: Tensor, pipe: object, call: EncodePromptArguments) -> Tensor:
    """Bring a tensor to the models' device and dtype, with a row for every picture."""
    device = call.device or getattr(pipe, "_execution_device", None)
    tensor = tensor.to(device=device, dtype=model_dtype(pipe))
    return tensor.repeat_interleave(call.num_images_per_prompt, dim=0)
