"""The text encoder of a dual model, as nn.Module and as TextTower."""

from __future__ import annotations

from contextlib import suppress
from operator import attrgetter
from typing import Any, ClassVar

from torch import Tensor, nn

from clipcond.errors import TowerError
from clipcond.towers.base import ModelTower


class TextEncoder(nn.Module):
    """The text model and text projection of a dual model, for which transformers has no class.

    Args:
        text_model: the text model.
        text_projection: [P D], without bias; None if the checkpoint has none.
    """

    def __init__(self, text_model: nn.Module, text_projection: nn.Module | None = None) -> None:
        super().__init__()
        self.text_model = text_model
        self.text_projection = text_projection
        self.config = text_model.config

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Any:
        """Call the text model with `input_ids` [n L]."""
        return self.text_model(input_ids=input_ids, attention_mask=attention_mask)


class TextEncoderTower(ModelTower):
    """A tower around a dual model, of which only the text encoder runs, or around a text encoder.

    Attributes:
        parts: names of the submodules, dotted, by which the text model is known.
        expected: describes models of this kind, for a message.
    """

    parts: ClassVar[tuple[str, ...]]
    expected: ClassVar[str]

    def _parts(self) -> Any:
        """Find the text model: the model itself, its `text_model`, or the one in that."""
        candidate: Any = self.model
        while candidate is not None:  # one in another up to transformers 5.5
            with suppress(AttributeError):
                attrgetter(*self.parts)(candidate)
                return candidate
            candidate = getattr(candidate, "text_model", None)
        raise TowerError(f"{type(self.model).__name__} is no {self.expected}")

    def _text_model(self) -> nn.Module:
        # The dual model's own forward wants pictures too, so it is not called, and a hook on it
        # that fetches the whole model (offload) must be called here. A hook without submodules
        # fetches only the model's own parameters.
        text_model: nn.Module = self._parts()
        hook = getattr(self.model, "_hf_hook", None)
        is_dual = text_model is not self.model
        if is_dual and hook is not None and getattr(hook, "place_submodules", True):
            hook.pre_forward(self.model)
        return text_model
