"""A torch model with a stack of blocks as a tower: run up to one of them, and no further."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.errors import TowerError
from clipcond.towers.base import HiddenLayer, TowerOutput, check_layer
from clipcond.towers.fingerprint import execution_device, state_key

__all__ = ["ModelTower", "capture"]


class ModelTower(ABC):
    """What towers around a torch model have in common; a kind of model says where its parts are.

    The model is used as it is: nothing is patched into it, and modules that change later (LoRA,
    another dtype or device, accelerate's offload hooks) are seen. Parts are looked up whenever they
    are needed.
    """

    def __init__(self, model: nn.Module, name: str | None = None) -> None:
        self.model = model
        self.name = name or _name_of(model)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, depth={self.depth}, width={self.width})"

    @abstractmethod
    def _blocks(self) -> nn.ModuleList:
        """The transformer blocks, first to last."""

    @abstractmethod
    def _table(self) -> Tensor:
        """The token embeddings [V D]."""

    @abstractmethod
    def _norm(self) -> nn.Module:
        """A layer norm: its weight has the dtype that the model computes in."""

    @abstractmethod
    def _normed(self, hidden: Tensor) -> Tensor:
        """A block's output [n L D] as `HiddenLayer.final_norm` wants it."""

    def _states(self, output: Tensor) -> Tensor:
        """A block's output as hidden states [n L D]."""
        return output

    def _projected(self, hidden: Tensor) -> Tensor:
        """Hidden states, normed or not, in the width that the tower gives them [n L D]."""
        return hidden

    @abstractmethod
    def _pool(self, last: Tensor, input_ids: Tensor) -> Tensor:
        """The pooled output [n P], from the last block's output [n L D]."""

    def _text_model(self) -> nn.Module:
        """The module that is called with `input_ids` and `attention_mask`."""
        return self.model

    @property
    def width(self) -> int:
        return self._table().shape[1]

    @property
    def depth(self) -> int:
        return len(self._blocks())

    @property
    def device(self) -> torch.device:
        """Where the model runs, which under offload hooks is not where its weights rest."""
        return execution_device(self.model)

    @property
    def dtype(self) -> torch.dtype:
        weight: Any = self._norm().weight
        dtype: torch.dtype = weight.dtype
        return dtype

    def fingerprint(self) -> Hashable:
        """Changes with weights, LoRA, dtype and device (see `state_key` for how far it sees)."""
        return state_key(self.model)

    def encode(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        layer: HiddenLayer,
        *,
        pooled: bool = False,
    ) -> TowerOutput:
        """Run the model up to `layer`, or to its end when the pooled output is wanted too.

        The pooled output is that of the last layer, whatever `layer` is.

        Args:
            input_ids: [n L], L at most the model's positions.
            attention_mask: [n L], 0 = not seen; None = all seen.
            layer: which block's output, and whether normed.
            pooled: whether `TowerOutput.pooled` is wanted; layers above `layer` run only then.
        Returns:
            hidden [n L D]; pooled [n P] or None. No gradients are kept.
        Raises:
            TowerError: the model has too few blocks, or an id is outside its vocabulary.
        """
        check_layer(layer, self.depth, self.name)
        blocks = self._blocks()
        with torch.no_grad(), self._known_ids(input_ids) as known_ids:
            self._check_ids(known_ids)
            stop = not pooled and layer.depth > 1
            with capture(blocks[-layer.depth], stop=stop) as wanted, capture(blocks[-1]) as last:
                self._run(known_ids, attention_mask)
            hidden = self._states(wanted[0])
            hidden = self._projected(self._normed(hidden) if layer.final_norm else hidden)
            return TowerOutput(hidden, self._pool(last[0], input_ids) if pooled else None)

    def pooled(self, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """The pooled output [n P] that `encode` gives, with gradients: for training the tower.

        Raises:
            TowerError: an id is outside its vocabulary.
        """
        with self._known_ids(input_ids) as known_ids:
            self._check_ids(known_ids)
            with capture(self._blocks()[-1]) as last:
                self._run(known_ids, attention_mask)
            return self._pool(last[0], input_ids)

    def _known_ids(self, input_ids: Tensor) -> AbstractContextManager[Tensor]:
        """The ids as the model knows them, while what it does not know is seen to otherwise."""
        return nullcontext(input_ids)

    def _run(self, input_ids: Tensor, attention_mask: Tensor | None) -> None:
        device = self.device
        mask = None if attention_mask is None else attention_mask.to(device)
        with suppress(_Reached):
            self._forward(input_ids.to(device), mask)

    def _forward(self, input_ids: Tensor, attention_mask: Tensor | None) -> None:
        """Call the model."""
        _plain_call(self._text_model())(input_ids=input_ids, attention_mask=attention_mask)

    def _check_ids(self, input_ids: Tensor) -> None:
        # on CUDA an id outside the table kills the process, so it is looked at here
        n_entries = len(self._table())
        if input_ids.numel() and int(input_ids.max()) >= n_entries:
            raise TowerError(
                f"token id {int(input_ids.max())} is outside the {n_entries} entries of "
                f"{self.name!r}: this tokenizer belongs to another model"
            )


class _Reached(Exception):
    """The requested layer's output is there; what comes after it need not run."""


@contextmanager
def capture(module: nn.Module, *, stop: bool = False) -> Iterator[list[Tensor]]:
    """Collect what `module` gives in the forward run inside.

    `stop` leaves that forward behind `module`. Hooks are the one way that also holds under
    accelerate's offload, which replaces `forward`. They act in this thread only: the model may be
    shared with a pipeline that runs elsewhere.
    """
    thread = get_ident()
    seen: list[Tensor] = []

    def after(_: nn.Module, args: tuple[Any, ...], result: Any) -> None:
        if get_ident() == thread:
            seen.append(result[0] if isinstance(result, tuple) else result)
            if stop:
                raise _Reached

    handle = module.register_forward_hook(after)
    try:
        yield seen
    finally:
        handle.remove()


def _plain_call(module: nn.Module) -> Callable[..., Any]:
    """A call that is not compiled: it would be compiled anew with each hook."""
    plain: nn.Module = getattr(module, "_orig_mod", module)
    return plain if plain._compiled_call_impl is None else plain._call_impl


def _name_of(model: nn.Module) -> str:
    name = str(getattr(getattr(model, "config", None), "_name_or_path", "") or "")
    return name or type(model).__name__
