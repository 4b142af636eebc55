"""Priors of unCLIP's kind: pooled vector, hidden states of one chunk, and a mask of its padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.explaining import ModelReads
from clipcond.conditioning.results import Conditioning
from clipcond.pipelines.families.words import as_negatives
from clipcond.pipelines.family import Encoding, Family, component_kind
from clipcond.pipelines.prompt_embeds import (
    EncodePromptArguments,
    given_negatives,
    given_prompts,
    model_dtype,
    read_arguments,
)


def _encode(encoding: Encoding, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
    """Encode prompts, and negatives if there is guidance.

    Returns:
        pooled [b P], hidden states [b L D], mask [b L], true up to the end of the text; of the
        negatives, then of the prompts.
    """
    pipe, call = encoding.pipe, read_arguments(encoding.pipe, arguments)
    if arguments.get("text_model_output") is not None:  # the caller's own
        joined = getattr(type(pipe), encoding.family.method)(pipe, **arguments)
        return None, None, None, *joined
    conditioner, prompts = encoding.conditioner, given_prompts(call.prompt)
    if not call.do_classifier_free_guidance:
        return None, None, None, *_parts(encoding, call, prompts, conditioner(prompts))
    negatives = given_negatives(pipe, call, len(prompts)) or [""] * len(prompts)
    made = conditioner.guided(prompts, negatives)
    negative = _parts(encoding, call, as_negatives(conditioner, negatives), made.negative)
    return *negative, *_parts(encoding, call, prompts, made.positive)


def _parts(
    encoding: Encoding, call: EncodePromptArguments, texts: list[str], made: Conditioning
) -> tuple[Tensor, ...]:
    assert made.pooled is not None  # the family's `reads` asks for it
    mask, dtype = _mask(encoding.conditioner, texts), model_dtype(encoding.pipe)
    parts = (made.pooled.to(dtype), made.embeds.to(dtype), mask)
    n = call.num_images_per_prompt
    return tuple(each.to(call.device).repeat_interleave(n, 0) for each in parts)


def _mask(conditioner: Conditioner, texts: list[str]) -> Tensor:
    """Mark each text's rows up to its end [b L]."""
    chunks = [conditioner.chunks(text)[0] for text in texts]
    rows = torch.arange(len(chunks[0].input_ids))
    return torch.stack([rows <= chunk.places.stop for chunk in chunks])


def _is_prior(pipe: object) -> bool:
    """Whether it has a prior that reads hidden states; ShapE's reads a normed vector alone."""
    has_prior = component_kind(pipe, "prior") == "PriorTransformer"
    return has_prior and not type(pipe).__name__.startswith("ShapE")


_NAMES = ("pooled", "embeds", "mask")

PRIOR = Family(
    name="unCLIP prior",
    encoders=(("text_encoder", "tokenizer"),),
    required=frozenset(
        {"prompt", "device", "num_images_per_prompt", "do_classifier_free_guidance"}
    ),
    optional=frozenset({"negative_prompt", "text_model_output", "text_attention_mask"}),
    method="_encode_prompt",
    reads=ModelReads(pooled=(True,)),
    returns=(*(f"negative_{name}" for name in _NAMES), *_NAMES),
    joins=tuple((f"negative_{name}", name) for name in _NAMES),
    follows={"attention_mask": "mask"},
    n_chunks=1,
    encode=_encode,
    further_test=_is_prior,
    note="hidden states and pooled vector of one chunk",
)

PRIOR_OF_STABLE_UNCLIP = Family(
    name="prior of StableUnCLIP",
    encoders=(("prior_text_encoder", "prior_tokenizer"),),
    required=PRIOR.required | {"text_model_output", "text_attention_mask"},
    method="_encode_prior_prompt",
    conditioner="prior_conditioner",
    reads=PRIOR.reads,
    returns=PRIOR.returns,
    joins=PRIOR.joins,
    follows=PRIOR.follows,
    n_chunks=1,
    encode=_encode,
)
