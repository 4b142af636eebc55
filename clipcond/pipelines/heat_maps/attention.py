"""Compute what a model's attention gives each row of text, as its own processor does.

The module's own call makes the picture; this computes the same probabilities beside it, from the
same hidden states through the same projections (LoRA layers and offloading hooks included), in
float32 and exactly: the softmax is over all keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from clipcond.errors import PipelineError

MAX_SCORES = 2**24  # values at once: 64 MiB of float32


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a processor computes the attention to text.

    Args:
        joint: the picture's own keys are among the keys, as in Stable Diffusion 3.
        fused: keys come from a projection that is joined with others.
        own_scale: scores are scaled by 1 / sqrt(width of a head), and queries and keys normed
            where the module has norms; else by the module's scale, and not normed.
    """

    joint: bool = False
    fused: bool = False
    own_scale: bool = True


# Source: diffusers, models/attention_processor.py. IP-Adapter's add what they read of a picture
# to what is read of the text: the text's softmax is over the text alone.
_KINDS: dict[str, _Kind] = {
    **dict.fromkeys(
        ("AttnProcessor", "SlicedAttnProcessor", "XFormersAttnProcessor"), _Kind(own_scale=False)
    ),
    **dict.fromkeys(
        ("IPAdapterAttnProcessor", "IPAdapterXFormersAttnProcessor"), _Kind(own_scale=False)
    ),
    **dict.fromkeys(("AttnProcessor2_0", "IPAdapterAttnProcessor2_0", "KernelProcessor"), _Kind()),
    "FusedAttnProcessor2_0": _Kind(fused=True),
    "JointAttnProcessor2_0": _Kind(joint=True),
    "SD3IPAdapterJointAttnProcessor2_0": _Kind(joint=True),
    "FusedJointAttnProcessor2_0": _Kind(joint=True, fused=True),
}
_HOMES = ("diffusers", "clipcond")


def layers_of(model: nn.Module) -> dict[str, Attention]:
    """Find the modules of a UNet or of SD3's transformer that attend to text, by their names."""
    modules = {n: m for n, m in model.named_modules() if isinstance(m, Attention)}
    return {n: m for n, m in modules.items() if m.is_cross_attention or m.added_kv_proj_dim}


def check_layer(name: str, layer: Attention) -> None:
    """Refuse a layer whose attention to text is not known.

    Raises:
        PipelineError: names the layer, its processor, and those that are known.
    """
    processor = type(layer.processor)
    is_known = processor.__name__ in _KINDS and processor.__module__.startswith(_HOMES)
    is_plain = layer.group_norm is None and layer.spatial_norm is None
    if is_known and is_plain and layer.inner_kv_dim == layer.inner_dim:
        return
    raise PipelineError(
        f"Heat maps cannot be made of {name!r}: how its {processor.__name__} attends to text is "
        f"not known here. Known: {', '.join(_KINDS)}.",
        "Set diffusers' own while tracing, pipe.unet.set_default_attn_processor(), or leave the "
        "layer out with layers=.",
    )


@torch.no_grad()
def shares_of_text(
    layer: Attention, args: Sequence[Any], kwargs: Mapping[str, Any], batch: Sequence[int]
) -> Iterator[Tensor]:
    """Compute how the attention at each place of a picture is shared among the rows of text.

    Args:
        args, kwargs: what the layer is called with.
        batch: which rows of the batch are wanted: p of them.
    Yields:
        for consecutive places, [p heads places S] in float32. Over the S rows they sum up to 1; in
        joint attention, to what the picture's own keys leave.
    """
    kind, rows = _KINDS[type(layer.processor).__name__], list(batch)
    hidden = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
    text = text_of(args, kwargs)[rows]
    queries, keys = _project(layer, kind, hidden[rows], text)
    width, n_text = queries.shape[-1], text.shape[1]
    scale = width**-0.5 if kind.own_scale else layer.scale
    bias = None if kind.joint else _bias(layer, kwargs.get("attention_mask"), rows, keys.shape[2])
    size = max(1, MAX_SCORES // (len(rows) * keys.shape[1] * keys.shape[2]))
    transposed = keys.float().transpose(-1, -2)
    for some in torch.split(queries, size, dim=2):
        yield _softmax(some.float(), transposed, scale, bias)[..., keys.shape[2] - n_text :]


def _softmax(queries: Tensor, keys: Tensor, scale: float, bias: Tensor | None) -> Tensor:
    """Compute the softmax over all keys, in float32 also where autocast would take less."""
    with torch.autocast(queries.device.type, enabled=False):
        scores = queries @ keys * scale
        return (scores if bias is None else scores + bias).softmax(-1)


def text_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor:
    """Get the rows of text [B S D] that a layer is called with; IP-Adapter's pictures apart."""
    given = kwargs.get("encoder_hidden_states", args[1] if len(args) > 1 else None)
    text: Tensor = given[0] if isinstance(given, tuple) else given
    return text


def _project(layer: Attention, kind: _Kind, hidden: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
    """Make queries [p heads n d] and keys [p heads m d]; the last S keys are those of text."""
    if kind.joint and kind.fused:  # whose processor applies no norms
        queries, own, _ = layer.to_qkv(hidden).chunk(3, dim=-1)
        of_text = layer.to_added_qkv(text).chunk(3, dim=-1)[1]
        split = [_heads(each, layer) for each in (queries, own, of_text)]
        return split[0], torch.cat(split[1:], dim=2)
    norm_q: nn.Module | None = layer.norm_q if kind.own_scale else None
    norm_k: nn.Module | None = layer.norm_k if kind.own_scale else None
    queries = _heads(layer.to_q(hidden), layer, norm_q)
    if kind.joint:
        own = _heads(layer.to_k(hidden), layer, norm_k)
        of_text = _heads(layer.add_k_proj(text), layer, layer.norm_added_k)
        return queries, torch.cat([own, of_text], dim=2)
    if layer.norm_cross:
        text = layer.norm_encoder_hidden_states(text)
    of_text = layer.to_kv(text).chunk(2, dim=-1)[0] if kind.fused else layer.to_k(text)
    return queries, _heads(of_text, layer, norm_k)


def _heads(projected: Tensor, layer: Attention, norm: nn.Module | None = None) -> Tensor:
    """Split what was projected among the heads: [p n heads*d] -> [p heads n d]."""
    split = projected.view(*projected.shape[:2], layer.heads, -1).transpose(1, 2)
    normed: Tensor = split if norm is None else norm(split)
    return normed


def _bias(layer: Attention, mask: Tensor | None, rows: list[int], n_keys: int) -> Tensor | None:
    """Bring the mask of the text, which is added to the scores, to [p heads 1 S]."""
    if mask is None:
        return None
    own = mask[rows] if len(mask) > 1 else mask.expand(len(rows), *mask.shape[1:])
    made: Tensor = layer.prepare_attention_mask(own, n_keys, len(rows))
    return made.view(len(rows), layer.heads, -1, made.shape[-1]).float()
