"""Check the values of a text model's config.json before a model is built from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from clipcond.errors import excerpt

LARGEST = 2**20  # of any size; the largest vocabulary, XLM-V's, has 901,629 entries
_LENGTHS = (
    *("vocab_size", "hidden_size", "intermediate_size", "max_position_embeddings"),
    *("projection_dim", "project_dim", "type_vocab_size"),
    *("image_size", "patch_size", "num_channels"),  # of a vision model
)
_COUNTS = ("num_hidden_layers", "num_attention_heads")
_SIZES = {**dict.fromkeys(_LENGTHS, LARGEST), **dict.fromkeys(_COUNTS, 1000)}
_NUMBERS = (
    *("layer_norm_eps", "attention_dropout", "hidden_dropout_prob"),
    *("attention_probs_dropout_prob", "initializer_range", "initializer_factor"),
)
_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")
# What says how a model is called or run, which the tower decides.
_NOT_TAKEN = (
    *("output_attentions", "output_hidden_states", "return_dict", "use_return_dict"),
    *("is_decoder", "add_cross_attention", "chunk_size_feed_forward", "torchscript"),
    *("quantization_config", "attn_implementation", "_attn_implementation", "dtype"),
    "torch_dtype",
)


def text_section(config: Mapping[str, Any], whole: str, *sections: str) -> dict[str, Any]:
    """Take the text model's part of a config: all of it, or such a section of a whole model's.

    Args:
        whole: the model_type of the whole model.
        sections: where the part may be; the first that is not empty is taken.
    Raises:
        ValueError: the section is no object.
    """
    if config.get("model_type") != whole:
        return dict(config)
    found: object = next(filter(None, (config.get(name) for name in sections)), {})
    if not isinstance(found, dict):
        raise ValueError(f"{sections[-1]} is {excerpt(repr(found))}, expected an object")
    return dict(found)


def check_text_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """Check sizes and numbers, and leave out what does not describe the model.

    An id that is no number is left out too: the tokenizer has the special tokens.

    Raises:
        ValueError: a value is none that a text model can have; says which.
    """
    for name, most in _SIZES.items():
        value = values.get(name, 1)
        if type(value) is not int or not 1 <= value <= most:
            shown = excerpt(repr(value))
            raise ValueError(f"{name} is {shown}, expected a whole number from 1 to {most}")
    for name in _NUMBERS:
        value = values.get(name, 0.0)
        if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
            raise ValueError(f"{name} is {excerpt(repr(value))}, expected a number from 0")
    width, heads = values.get("hidden_size"), values.get("num_attention_heads")
    if width and heads and width % heads:
        raise ValueError(f"{heads} attention heads cannot share a width of {width}")
    lost = {name for name in _IDS if name in values and type(values[name]) is not int}
    return {k: v for k, v in values.items() if k not in lost and k not in _NOT_TAKEN}
