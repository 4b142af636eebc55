"""The types of diffusers' pipelines and models, as far as clipcond uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from clipcond.conditioning.conditioner import Conditioner


class Model(Protocol):
    """A UNet or autoencoder."""

    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def device(self) -> torch.device: ...
    def set_attn_processor(self, processor: Any) -> None: ...


class DiffusersPipeline(Protocol):
    """A diffusers pipeline of any kind: what type checkers see of all of them."""

    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def components(self) -> dict[str, Any]: ...
    def to(self, *args: Any, **kwargs: Any) -> Any: ...


class ConditionedPipeline(DiffusersPipeline, Protocol):
    """An attached pipeline: `conditioner` is the Conditioner in use, all else is diffusers'."""

    conditioner: Conditioner
    unet: Model
    vae: Model
    scheduler: Any

    @property
    def device(self) -> torch.device: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def to(self, *args: Any, **kwargs: Any) -> ConditionedPipeline: ...
    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> None: ...
    def set_progress_bar_config(self, **kwargs: Any) -> None: ...
    # What else there is depends on the diffusers class.
    def __getattr__(self, name: str) -> Any: ...
