"""The transformers model that weights in open_clip's layout make: other names, the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.checkpoints.open_clip_layout import (
    BLOCKS,
    EMBEDDING,
    LINEAR_PROJECTION,
    POSITIONS,
    PROJECTION,
    Half,
)
from clipcond.errors import CheckpointError
from clipcond.tokenizers.open_clip import VOCABULARY, shipped
from clipcond.towers.openai_clip import OpenAIClipTower

__all__ = ["head_count", "tower_of"]

HEAD_WIDTH = 64
PLAIN = {
    EMBEDDING: "embeddings.token_embedding.weight",
    POSITIONS: "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
BLOCK = {
    "ln_1": "layer_norm1",
    "attn.out_proj": "self_attn.out_proj",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
# How transformers <= 5.5 begins every name of a text model, and newer ones some.
WRAPPER = "text_model."


def head_count(half: Half, stated: int | None, name: str) -> int:
    """Attention heads: as stated, or 64 wide each, as in every published model.

    Raises:
        CheckpointError: the width cannot be divided so.
    """
    heads = half.width // HEAD_WIDTH if stated is None else stated
    if heads < 1 or half.width % heads:
        raise CheckpointError(
            f"{name!r} is {half.width} wide, which gives no whole number of attention heads "
            f"{HEAD_WIDTH} wide"
            if stated is None
            else f"{name!r} is {half.width} wide, which {heads} attention heads cannot share",
            name,
        )
    return heads


def tower_of(
    half: Half,
    *,
    heads: int,
    act: str,
    name: str,
    dtype: torch.dtype,
    device: str | torch.device,
) -> OpenAIClipTower:
    """A tower around transformers' CLIPTextModelWithProjection; CLIPTextModel where none is there.

    Raises:
        CheckpointError: the vocabulary is not CLIP's.
    """
    if half.vocabulary != VOCABULARY:
        raise CheckpointError(
            f"{name!r} has a vocabulary of {half.vocabulary} entries, not CLIP's {VOCABULARY}",
            name,
            "Open it with open_clip, and give the model and its tokenizer to OpenClipTower.",
        )
    model = _model(half, heads, act, dtype, device)
    return OpenAIClipTower(model, shipped(half.context), name=name)


def _model(
    half: Half, heads: int, act: str, dtype: torch.dtype, device: str | torch.device
) -> nn.Module:
    """The model with its weights.

    Tensors that are of `dtype` and on `device` already are taken over, not copied, but for those
    that have another form here (q, k and v apart, the projection transposed).
    """
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=half.vocabulary,
        hidden_size=half.width,
        intermediate_size=half.inner,
        num_hidden_layers=half.depth,
        num_attention_heads=heads,
        max_position_embeddings=half.context,
        projection_dim=half.projection or half.width,
        hidden_act=act,
        layer_norm_eps=1e-5,
        bos_token_id=49406,
        eos_token_id=49407,
        pad_token_id=0,
    )
    with torch.device("meta"):  # no time for random weights that are not used
        has_projection = half.projection is not None
        model: Any = (CLIPTextModelWithProjection if has_projection else CLIPTextModel)(config)
    full = {key.removeprefix(WRAPPER): key for key in model.state_dict()}
    pairs = ((full[key], tensor.to(device, dtype).contiguous()) for key, tensor in _renamed(half))
    model.load_state_dict(dict(pairs), assign=True)
    for module in model.modules():
        if "position_ids" in module._buffers:
            module._buffers["position_ids"] = torch.arange(half.context, device=device)[None]
    model.eval().requires_grad_(False)
    kept: nn.Module = model
    return kept


def _renamed(half: Half) -> Iterator[tuple[str, Tensor]]:
    """Every tensor under transformers' name, one at a time."""
    for theirs, ours in PLAIN.items():
        yield ours, half[theirs]
    for i in range(half.depth):
        for theirs, ours in BLOCK.items():
            for kind in ("weight", "bias"):
                yield f"encoder.layers.{i}.{ours}.{kind}", half[f"{BLOCKS}{i}.{theirs}.{kind}"]
        for kind in ("weight", "bias"):
            parts = half[f"{BLOCKS}{i}.attn.in_proj_{kind}"].chunk(3)
            for letter, part in zip("qkv", parts, strict=True):
                yield f"encoder.layers.{i}.self_attn.{letter}_proj.{kind}", part.clone()
    if PROJECTION in half.keys:  # [D P] there, [P D] here
        yield "text_projection.weight", half[PROJECTION].t().contiguous()
    elif LINEAR_PROJECTION in half.keys:
        yield "text_projection.weight", half[LINEAR_PROJECTION]
