"""The names that cn_clip gives the tensors of a text half, as transformers' ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from clipcond.errors import CheckpointError

__all__ = ["as_transformers"]

HEAD_WIDTH = 64  # in all five sizes. Source: cn_clip 1.6.0, model_configs/*.json
WORD_TABLE = "bert.embeddings.word_embeddings.weight"
# As trained with flash attention. Source: cn_clip 1.6.0, clip/model.py, convert_state_dict.
ENTWINED = re.compile(r"(.*\.attention)\.self\.Wqkv\.(weight|bias)")
OUTWARD = re.compile(r"(.*\.attention)\.self\.out_proj\.(weight|bias)")


def as_transformers(
    weights: Mapping[str, Tensor], name: str, n_heads: int | None = None
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config of a ChineseCLIPTextModel, and tensors by transformers' names.

    Args:
        weights: what cn_clip saves as `state_dict`, with `module.` before every name or without.
        name: the file's name.
        n_heads: attention heads; None = one for every 64 of the width.
    Returns:
        config, and tensors named `text_model.*` and `text_projection.weight` [P D].
    Raises:
        CheckpointError: there is no table of words, so this is something else.
    """
    official = _one_spelling(weights)
    if WORD_TABLE not in official:
        raise CheckpointError(
            f"{name!r} is no cn_clip checkpoint: it has no tensor {WORD_TABLE!r}",
            Path(name),
            f"It has {len(weights)} tensors, such as {min(weights, default='none')!r}.",
        )
    renamed = {
        key.replace("bert.", "text_model.", 1): tensor
        for key, tensor in official.items()
        if key.startswith("bert.")
    }
    projection = official.get("text_projection")
    if projection is not None:  # stored as [D P]
        renamed["text_projection.weight"] = projection.T
    return _config_of(official, n_heads), renamed


def _one_spelling(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The text half's tensors by their plain names, as trained without flash attention."""
    plain: dict[str, Tensor] = {}
    for key, tensor in weights.items():
        key = key.removeprefix("module.")
        entwined, outward = ENTWINED.fullmatch(key), OUTWARD.fullmatch(key)
        if not key.startswith("bert.") and key != "text_projection":
            continue
        if entwined is not None:
            parts = zip(("query", "key", "value"), tensor.chunk(3), strict=True)
            plain.update({f"{entwined[1]}.self.{of}.{entwined[2]}": part for of, part in parts})
        elif outward is not None:
            plain[f"{outward[1]}.output.dense.{outward[2]}"] = tensor
        else:
            plain[key] = tensor
    return plain


def _config_of(weights: Mapping[str, Tensor], n_heads: int | None) -> dict[str, Any]:
    """A transformers config for a text half with these tensors."""
    n_entries, width = weights[WORD_TABLE].shape
    layers = (re.match(r"bert\.encoder\.layer\.(\d+)\.", key) for key in weights)
    inner = weights.get("bert.encoder.layer.0.intermediate.dense.weight")
    positions = weights.get("bert.embeddings.position_embeddings.weight")
    kinds = weights.get("bert.embeddings.token_type_embeddings.weight")
    return {
        "vocab_size": n_entries,
        "hidden_size": width,
        "num_hidden_layers": 1 + max((int(found[1]) for found in layers if found), default=-1),
        "num_attention_heads": n_heads or max(1, width // HEAD_WIDTH),
        "intermediate_size": 4 * width if inner is None else len(inner),
        "max_position_embeddings": 512 if positions is None else len(positions),
        "type_vocab_size": 2 if kinds is None else len(kinds),
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
    }
