"""What a UNet's cross-attention reads out of text states: the measure of the first stage.

Languages differ in the number and order of words, so states are not compared row by row. The
frozen keys and values of the UNet's own layers are asked, with queries that the UNet once asked,
what they find in the teacher's states and in the adapter's; that is all the UNet ever learns of
either. Source of the idea: IAP (arXiv 2305.11540), which pulls together the cross-attention
outputs of image queries under two languages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from clipcond.errors import PipelineError

__all__ = ["Layer", "cross_attentions", "matched", "read"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One cross-attention layer, with queries.

    Args:
        attention: diffusers' Attention.
        queries: [Q heads*d], as its `to_q` gives them.
        mean: [Q C], what the teacher's prompts make of them on average.
        spread: mean square of a read's distance from it.
    """

    attention: Any
    queries: Tensor
    mean: Tensor | None = None
    spread: float = 1.0


def cross_attentions(unet: nn.Module, width: int) -> list[Any]:
    """The UNet's cross-attention layers, in the order of its modules.

    Raises:
        PipelineError: it has none that reads states of this width.
    """
    found = [
        module
        for name, module in unet.named_modules()
        if name.endswith("attn2") and getattr(module, "to_k", None) is not None
    ]
    fitting = [each for each in found if each.to_k.in_features == width]
    if not fitting:
        raise PipelineError(f"This UNet has no cross-attention that reads states {width} wide.")
    return fitting


def read(layer: Layer, states: Tensor, which: Tensor) -> Tensor:
    """What these queries [q] of a layer get out of states [b S D]: [b q C], in float32."""
    attention, dtype = layer.attention, layer.attention.to_k.weight.dtype
    states = states.to(dtype)
    if attention.norm_cross is not None:
        states = attention.norm_encoder_hidden_states(states)
    n_heads = attention.heads
    queries = layer.queries[which].to(dtype).expand(len(states), -1, -1)
    q, k, v = (
        rows.unflatten(-1, (n_heads, -1)).transpose(1, 2)
        for rows in (queries, attention.to_k(states), attention.to_v(states))
    )
    found = F.scaled_dot_product_attention(q, k, v, scale=attention.scale)
    out: Tensor = attention.to_out[0](found.transpose(1, 2).flatten(2))
    return out.float()


def matched(layer: Layer, student: Tensor, teacher: Tensor) -> Tensor:
    """The mean square difference of two reads [b q C]; 1 = as their mean."""
    return (student - teacher).square().mean() / layer.spread
