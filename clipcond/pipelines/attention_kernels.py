"""Choose what computes the attention of a UNet: torch, flash-attn, xformers or matrix products."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import torch
from torch import Tensor

from clipcond.errors import PipelineError, UnknownNameError, first_line
from clipcond.pipelines.protocols import ConditionedPipeline

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention

AttentionName: TypeAlias = Literal["sdpa", "flash", "xformers", "eager"]
_SDPA_HELPS = "or leave out attention=: sdpa takes the fastest of torch's own kernels."


def check_attention(name: str) -> None:
    """Refuse a name that does not exist, and a package that is not installed.

    Raises:
        UnknownNameError: no such attention.
        PipelineError: its package is missing; says how to install it.
    """
    names = get_args(AttentionName)
    if name not in names:
        raise UnknownNameError("attention", name, names)
    package = {"flash": "flash_attn", "xformers": "xformers"}.get(name)
    if package is not None and importlib.util.find_spec(package) is None:
        install = {"flash": "flash-attn --no-build-isolation", "xformers": "'clipcond[xformers]'"}
        raise PipelineError(
            f"{name} cannot be used here: the package {package} is not installed.",
            f"Install it with: pip install {install[name]} (it needs CUDA), {_SDPA_HELPS}",
        )


def use_attention(pipe: ConditionedPipeline, name: str) -> None:
    """Let the UNet compute attention by `name`; of the autoencoder, "eager" and "xformers" too.

    Args:
        pipe: on its device and in its dtype, so that a kernel can be tried.
        name: "sdpa" is what diffusers takes by itself. "flash" goes through diffusers' dispatcher,
            which UNets do not use; calls with an attention mask, which the kernel cannot take, and
            the autoencoder, whose heads are too wide for it, stay with sdpa.
    Raises:
        PipelineError: the kernel does not work here.
    """
    from diffusers.models.attention_processor import AttnProcessor

    try:
        if name == "eager":
            for model in (pipe.unet, pipe.vae):
                model.set_attn_processor(AttnProcessor())
        elif name == "xformers":
            pipe.enable_xformers_memory_efficient_attention()
        elif name == "flash":
            processor = KernelProcessor("flash")
            processor.try_out(pipe.unet.device, pipe.unet.dtype)
            pipe.unet.set_attn_processor(processor)
    except (ImportError, ValueError, NotImplementedError, RuntimeError, TypeError) as error:
        raise PipelineError(
            f"{name} cannot be used here: {first_line(error)}",
            f"It needs CUDA and float16 or bfloat16; say device= and dtype=, {_SDPA_HELPS}",
        ) from error


class KernelProcessor:
    """An attention processor of diffusers that computes by a named kernel of its dispatcher.

    diffusers 0.42 lets `set_attention_backend` act on transformers only: the processors of a UNet
    do not call the dispatcher. This one does, for the attention of a UNet's transformer blocks.

    Args:
        kernel: a value of diffusers' `AttentionBackendName`.
    """

    def __init__(self, kernel: str) -> None:
        from diffusers.models.attention_dispatch import AttentionBackendName

        self.kernel = AttentionBackendName(kernel)
        self.masked_kernel = AttentionBackendName("native")

    def try_out(self, device: torch.device, dtype: torch.dtype) -> None:
        """Run the kernel once on zeros; it raises what it raises."""
        zeros = torch.zeros(1, 8, 1, 64, device=device, dtype=dtype)
        self._attend(zeros, zeros, zeros, None)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """Attend: query [b n heads d], key and value [b m heads d] -> [b n heads d]."""
        from diffusers.models.attention_dispatch import dispatch_attention_fn

        kernel = self.kernel if mask is None else self.masked_kernel
        return dispatch_attention_fn(query, key, value, attn_mask=mask, backend=kernel)

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """Compute the attention of one block: hidden states [b n D] -> [b n D]."""
        rows = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        if encoder_hidden_states is not None and attn.norm_cross:
            rows = attn.norm_encoder_hidden_states(rows)
        if attention_mask is not None:
            mask = attn.prepare_attention_mask(attention_mask, rows.shape[1], len(rows))
            attention_mask = mask.view(len(rows), attn.heads, -1, mask.shape[-1])
        query, key, value = (
            projected.unflatten(-1, (attn.heads, -1))
            for projected in (attn.to_q(hidden_states), attn.to_k(rows), attn.to_v(rows))
        )
        if attn.norm_q is not None:
            query = attn.norm_q(query)
        if attn.norm_k is not None:
            key = attn.norm_k(key)
        out = self._attend(query, key, value, attention_mask).flatten(2)
        for module in attn.to_out:
            out = module(out)
        out = out + hidden_states if attn.residual_connection else out
        return out / attn.rescale_output_factor
