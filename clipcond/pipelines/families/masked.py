"""Stable Cascade and Würstchen: a tower whose padding is masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from clipcond.conditioning.explaining import ModelReads
from clipcond.pipelines.family import OF_CALL, PROMPTS, Encoding, Family, has_component
from clipcond.pipelines.prompt_embeds import make_prompt_embeds, read_arguments
from clipcond.towers import HiddenLayer

_TOWER = (("text_encoder", "tokenizer"),)


def _encode_cascade(encoding: Encoding, arguments: Mapping[str, Any]) -> tuple[Tensor | None, ...]:
    """Encode prompts: embeds [b S D], pooled [b 1 P], and the same of the negatives."""
    call = read_arguments(encoding.pipe, arguments)
    given: dict[str, Any] = {
        name: None if pooled is None else pooled.squeeze(1)
        for name in ("pooled_prompt_embeds", "negative_pooled_prompt_embeds")
        for pooled in (getattr(call, name),)
    }
    made = make_prompt_embeds(encoding, replace(call, **given))
    pooled, negative = (
        None if each is None else each.unsqueeze(1) for each in (made.pooled, made.negative_pooled)
    )
    return made.embeds, pooled, made.negative_embeds, negative


def _has_prior_or_decoder(pipe: object) -> bool:
    return has_component("prior", pipe) or has_component("vqgan", pipe)


CASCADE = Family(
    name="Stable Cascade",
    encoders=_TOWER,
    required=PROMPTS | {"batch_size", "pooled_prompt_embeds", "negative_pooled_prompt_embeds"},
    optional=OF_CALL,
    returns=("embeds", "pooled", "negative_embeds", "negative_pooled"),
    reads=ModelReads(HiddenLayer(1, final_norm=False), (True,)),
    masks=True,
    encode=_encode_cascade,
)

WUERSTCHEN = Family(
    name="Würstchen",
    encoders=_TOWER,
    required=frozenset({"prompt", "negative_prompt"}),
    optional=PROMPTS | OF_CALL,
    returns=("embeds", "negative_embeds"),
    masks=True,
    further_test=_has_prior_or_decoder,
)

MASKED_FAMILIES: tuple[Family, ...] = (CASCADE, WUERSTCHEN)
