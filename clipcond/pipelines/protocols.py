"""The types of diffusers' pipelines and models, as far as clipcond uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from typing import Any, Protocol

import torch
from torch import Tensor

from clipcond.conditioning.conditioner import Conditioner


class Model(Protocol):
    """A UNet or another module of a pipeline."""

    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def device(self) -> torch.device: ...
    def parameters(self) -> Iterator[Tensor]: ...
    def set_attn_processor(self, processor: object) -> None: ...


class Autoencoder(Model, Protocol):
    """An autoencoder, which makes latents [b C h w] of pictures [b 3 H W]."""

    config: Any
    use_slicing: bool
    encode: Callable[[Tensor], Any]  # its result's `latent_dist` has a mean


class Scheduler(Protocol):
    """A scheduler, which lays out the steps of a denoising loop and takes them."""

    config: Any  # a mapping whose entries are attributes too
    timesteps: Tensor
    alphas_cumprod: Tensor
    init_noise_sigma: float

    @classmethod
    def from_config(cls, config: Mapping[str, Any], /, **kwargs: Any) -> Scheduler: ...
    def set_timesteps(self, n_steps: int, /) -> None: ...
    def scale_model_input(self, sample: Tensor, timestep: Tensor, /) -> Tensor: ...
    def step(
        self, output: Tensor, timestep: Tensor, sample: Tensor, /, *, return_dict: bool
    ) -> tuple[Tensor, ...]: ...
    def add_noise(self, clean: Tensor, noise: Tensor, timesteps: Tensor, /) -> Tensor: ...


class DiffusersPipeline(Protocol):
    """A diffusers pipeline of any kind: what type checkers see of all of them."""

    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def components(self) -> dict[str, Any]: ...
    def to(self, *args: Any, **kwargs: Any) -> object: ...


class ConditionedPipeline(DiffusersPipeline, Protocol):
    """An attached pipeline: `conditioner` is the Conditioner in use, all else is diffusers'."""

    conditioner: Conditioner
    unet: Model
    vae: Autoencoder
    scheduler: Any

    @property
    def device(self) -> torch.device: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def to(self, *args: Any, **kwargs: Any) -> ConditionedPipeline: ...
    def save_pretrained(
        self, save_directory: str | PathLike[str], *args: Any, **kwargs: Any
    ) -> None: ...
    def set_progress_bar_config(self, **kwargs: Any) -> None: ...
    # What else there is depends on the diffusers class.
    def __getattr__(self, name: str) -> Any: ...
