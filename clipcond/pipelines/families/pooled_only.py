"""Families whose CLIP towers give one pooled vector, and other text models all else.

Weights act on hidden states, so nothing of a prompt's syntax reaches these models. The other text
models get the words alone, by diffusers' own code; the pooled vector comes from the Conditioner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from clipcond.conditioning.explaining import ModelReads
from clipcond.errors import PromptWarning, warn
from clipcond.pipelines.families.words import as_negatives, syntax_of, words_of
from clipcond.pipelines.family import Encoding, Family, has_component
from clipcond.pipelines.lora_scale import lora_scaled

_NEGATIVE = "negative_"


@dataclass(frozen=True, slots=True)
class PooledVectors:
    """Encode prompts by the stock method, the words alone, and replace the pooled vectors.

    Args:
        at: which result is the pooled vector of the prompt, and which that of the negative.
        texts: the parameters that are prompts; for each tower the first ones, in order.
    """

    at: tuple[int, ...] = (1,)
    texts: tuple[str, ...] = ("prompt", "prompt_2")

    def __call__(self, encoding: Encoding, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
        pipe, family = encoding.pipe, encoding.family
        stock = getattr(type(pipe), family.method)
        names = [*self.texts, *(_NEGATIVE + text for text in self.texts)]
        given = {name: arguments[name] for name in names if arguments.get(name) is not None}
        if not given:
            result: tuple[Any, ...] = stock(pipe, **arguments)
            return result
        conditioner = encoding.conditioner
        words = {
            name: words_of(conditioner, text, negative=name.startswith(_NEGATIVE))
            for name, text in given.items()
        }
        _warn(encoding, [*given.values()])
        answer = list(stock(pipe, **{**arguments, **words}))
        for index, start in zip(self.at, ("", _NEGATIVE), strict=False):
            # without a negative, models take one of their own
            is_text = bool(given.get(start + self.texts[0]))
            if is_text and arguments.get(f"{start}pooled_prompt_embeds") is None:
                with lora_scaled(pipe, family.encoder_names, arguments.get("lora_scale")):
                    pooled = self._pooled(encoding, given, start)
                answer[index] = _like(pooled, answer[index])
        return tuple(answer)

    def _pooled(self, encoding: Encoding, given: Mapping[str, Any], start: str) -> Tensor:
        """Encode the prompts, or the negatives, and take the pooled vectors."""
        texts: list[Any] = [
            given.get(start + name) for name in self.texts[: len(encoding.family.encoders)]
        ]
        second = texts[1] if texts[1:] and texts[1] else None
        first = texts[0] or ""
        if start:
            first, second = (as_negatives(encoding.conditioner, each) for each in (first, second))
        pooled = encoding.conditioner(first, prompts_2=second).pooled
        assert pooled is not None  # the family's `reads` asks for it
        return pooled


def _like(pooled: Tensor, stock: Tensor) -> Tensor:
    """Repeat a pooled vector for each picture, as the stock one was; with its device and dtype."""
    n = len(stock) // len(pooled)
    return pooled.to(stock).repeat_interleave(n, dim=0)


def _warn(encoding: Encoding, texts: Sequence[Any]) -> None:
    """Warn once a call of what the prompts' syntax does not do here."""
    prompts = [p for text in texts for p in ([text] if isinstance(text, str) else text)]
    conditioner = encoding.conditioner
    found = dict.fromkeys(name for p in prompts for name in syntax_of(conditioner, p))
    names = [*found, *(["clip skip"] if conditioner.clip_skip != 1 or conditioner.layer else [])]
    if names:
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
        verb = "have" if names[1:] or names[0].endswith("s") else "has"
        warn(
            PromptWarning(
                f"{listed} {verb} no effect in {encoding.family.name}: of CLIP it reads one pooled "
                "vector, and its other text model gets the words alone"
            )
        )


FLUX = Family(
    name="Flux",
    encoders=(("text_encoder", "tokenizer"),),
    required=frozenset({"prompt", "prompt_2", "prompt_embeds", "pooled_prompt_embeds"}),
    optional=frozenset({"device", "num_images_per_prompt", "max_sequence_length", "lora_scale"}),
    reads=ModelReads(pooled=(True,)),
    returns=("embeds", "pooled", ""),
    encode=PooledVectors(),
    note="pooled vector; T5 gets the words",
)

_VIDEO = frozenset({"num_images_per_prompt", "device", "dtype", "max_sequence_length"})
_NAMES = ("embeds", "pooled", "mask")
_MASKED = frozenset({"prompt_embeds", "pooled_prompt_embeds", "prompt_attention_mask"})

HUNYUAN_VIDEO = Family(
    name="HunyuanVideo",
    encoders=(("text_encoder_2", "tokenizer_2"),),
    required=frozenset({"prompt", "prompt_2", "prompt_template"}) | _MASKED,
    optional=_VIDEO | {"image", "image_embed_interleave"},
    reads=ModelReads(pooled=(True,)),
    returns=_NAMES,
    follows={"encoder_attention_mask": "mask"},
    encode=PooledVectors(),
    note="pooled vector; Llama gets the words",
)

KANDINSKY_5 = Family(
    name="Kandinsky 5",
    encoders=(("text_encoder_2", "tokenizer_2"),),
    required=frozenset({"prompt", "max_sequence_length"}),
    optional=_VIDEO | {"image"},
    reads=ModelReads(pooled=(True,)),
    returns=("embeds", "pooled", "lengths"),
    cut={"text_rope_pos": "encoder_hidden_states"},
    encode=PooledVectors(texts=("prompt",)),
    further_test=partial(has_component, "text_encoder_2"),
    note="pooled vector; Qwen gets the words",
)

KANDINSKY_6 = Family(
    name="Kandinsky 6",
    encoders=(("text_encoder_2", "tokenizer_2"),),
    required=_MASKED | {f"negative_{name}" for name in _MASKED} | {"prompt", "negative_prompt"},
    optional=_VIDEO | {"do_classifier_free_guidance"},
    reads=ModelReads(pooled=(True,)),
    returns=tuple(start + name for start in ("", _NEGATIVE) for name in _NAMES),
    follows={"encoder_attention_mask": "mask"},
    encode=PooledVectors(at=(1, 4), texts=("prompt",)),
    note="pooled vector; Qwen gets the words",
)

_FOUR = tuple(f"prompt{end}" for end in ("", "_2", "_3", "_4"))
_OTHERS = ("prompt_embeds_t5", "prompt_embeds_llama3", "pooled_prompt_embeds")

HIDREAM = Family(
    name="HiDream",
    encoders=(("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2")),
    required=frozenset(start + name for start in ("", _NEGATIVE) for name in (*_FOUR, *_OTHERS)),
    optional=_VIDEO | {"do_classifier_free_guidance", "lora_scale"},
    reads=ModelReads(pooled=(True, True)),
    returns=tuple(start + n for n in ("embeds", "llama", "pooled") for start in ("", _NEGATIVE)),
    follows={"encoder_hidden_states_llama3": "llama"},
    axes={"llama": 1},
    encode=PooledVectors(at=(4, 5), texts=_FOUR),
    context_length=128,
    note="pooled vectors of both towers; T5 and Llama get the words",
)

POOLED_FAMILIES: tuple[Family, ...] = (FLUX, HUNYUAN_VIDEO, KANDINSKY_5, KANDINSKY_6, HIDREAM)
