"""Let each region of a picture read its own text, in all cross-attention layers of a model.

A layer's call gets the texts of the base prompt and of all regions, one behind the other. It is
called once for each, by itself, whatever its processor computes, and what comes out is added up by
the shares:

    out = sum_r share_r * attention(q, k_r, v_r)

The shares of a place sum up to 1 and the output layer is linear, so that is also the layer's output
for the sum within.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.errors import PipelineError
from clipcond.pipelines.regions.shares import Shares
from clipcond.pipelines.steps.encoding import TEXT
from clipcond.pipelines.steps.hooks import Hooks, remove_strays
from clipcond.pipelines.steps.passes import Rows
from clipcond.pipelines.steps.texts import CallArguments

_ARGUMENT = "encoder_hidden_states"


class _Now(threading.local):
    """What one thread does in a call of a model, and of one of its layers."""

    shares: Shares | None = None
    lengths: Sequence[int] = ()
    is_part = False
    mixed: tuple[Tensor | None, Tensor | None] = (None, None)
    n_layers = 0


class RegionalAttention:
    """Hooks on the cross-attention layers of a pipeline's models."""

    def __init__(self) -> None:
        self._hooks: dict[int, Hooks] = {}
        self._now = _Now()

    def put_on(self, models: Iterable[nn.Module]) -> None:
        """Put hooks on the layers that read text, where there are none."""
        for model in models:
            for layer in cross_attentions(model):
                if id(layer) not in self._hooks:
                    remove_strays(layer)
                    self._hooks[id(layer)] = Hooks(layer, self)

    def remove(self) -> None:
        """Take the hooks off."""
        for hooks in self._hooks.values():
            hooks.remove()
        self._hooks = {}

    def begin(self, rows: Rows, arguments: CallArguments, pipe: object) -> None:
        """Begin a call of a model: let its layers read the texts of regions, if it has any.

        Args:
            rows: of its text.
            arguments: its own; the first, or `sample`, are the latents [... h w].
        """
        encoded = next(row.encoded for row in rows if row is not None)
        if encoded.regions is None:
            return
        args, kwargs = arguments
        sample = kwargs["sample"] if "sample" in kwargs else args[0]
        height, width = sample.shape[-2:]
        scale = getattr(pipe, "vae_scale_factor", 8)
        now = self._now
        now.shares = encoded.regions.shares((height, width), (height * scale, width * scale))
        now.lengths = [each.tables[TEXT].shape[1] for each in encoded.with_regions]
        now.n_layers = 0

    def end(self) -> None:
        """End the call of the model.

        Raises:
            PipelineError: no layer has read the regions.
        """
        was, self._now.shares = self._now.shares, None
        if was is not None and not self._now.n_layers:
            raise PipelineError(
                "No layer of the model has read the texts of the regions.",
                "Draw without regions=.",
            )

    def before(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> CallArguments:
        """Call a layer with each text but one; return the arguments with that one.

        Raises:
            PipelineError: it reads something else, or a layer of its size is not known.
        """
        now = self._now
        if now.shares is None or now.is_part:
            return args, kwargs
        text = kwargs.get(_ARGUMENT, args[1] if len(args) > 1 else None)
        own = text[0] if isinstance(text, tuple) else text
        if not isinstance(own, Tensor) or own.shape[1] != sum(now.lengths):
            raise PipelineError(
                "A layer of cross-attention reads something else than the texts of the regions.",
                "Draw without regions=.",
            )
        hidden = args[0] if args else kwargs["hidden_states"]
        parts = torch.split(own, list(now.lengths), dim=1)
        shares = now.shares.of_layer(hidden)
        used = [(part, each) for part, each in zip(parts, shares, strict=True) if each is not None]
        (first, share), *others = used
        mixed: Tensor | None = None
        now.is_part = True
        try:
            for part, each in others:
                own_args, own_kwargs = _with_text(args, kwargs, part)
                output = module(*own_args, **own_kwargs) * each
                mixed = output if mixed is None else mixed + output
        finally:
            now.is_part = False
        now.n_layers += 1
        now.mixed = mixed, share
        return _with_text(args, kwargs, first)

    def after(self, module: nn.Module, output: object) -> object:
        """Add up what a layer gave for each text."""
        now = self._now
        if now.shares is None or now.is_part:
            return output
        (mixed, share), now.mixed = now.mixed, (None, None)
        if mixed is None or share is None:
            return output
        assert isinstance(output, Tensor)
        return (output * share + mixed).to(output.dtype)


def cross_attentions(model: nn.Module) -> list[nn.Module]:
    """List the layers of a model that read text."""
    return [
        layer for layer in model.modules() if getattr(layer, "is_cross_attention", False) is True
    ]


def _with_text(args: tuple[Any, ...], kwargs: dict[str, Any], part: Tensor) -> CallArguments:
    """Put a text into the arguments of a layer; an IP-Adapter's pictures stay where they are."""
    given = kwargs.get(_ARGUMENT, args[1] if len(args) > 1 else None)
    own = (part, *given[1:]) if isinstance(given, tuple) else part
    if _ARGUMENT in kwargs:
        return args, {**kwargs, _ARGUMENT: own}
    return (args[0], own, *args[2:]), kwargs
