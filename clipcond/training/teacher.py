"""Hold the teacher: a pipeline's own text towers, and the UNet that reads them."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clipcond.adapters import teacher_fingerprint, unet_family, unet_fingerprint
from clipcond.errors import PipelineError
from clipcond.pipelines.loading import load_pipeline
from clipcond.pipelines.prompt_embeds import config_of, pooled_width
from clipcond.pipelines.protocols import DiffusersPipeline, Scheduler
from clipcond.pipelines.verbosity import silent_libraries
from clipcond.towers import OpenAIClipTower

_ENCODERS = (("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2"))


@dataclass(frozen=True, slots=True)
class Teacher:
    """The frozen parts of a pipeline: its UNet, text towers, scheduler and autoencoder.

    Args:
        towers: one, or SDXL's pair.
        hashes: of the towers and of the UNet, as an alignment record holds them.
        family: as an alignment record calls it.
        width: D, of the UNet's cross-attention.
        pooled_width: P, or None where the UNet reads no pooled vector.
    """

    unet: Any
    scheduler: Any
    vae: Any
    towers: tuple[OpenAIClipTower, ...]
    hashes: tuple[str, str]
    family: str
    width: int
    pooled_width: int | None

    @classmethod
    def from_pipeline(cls, pipe: DiffusersPipeline) -> Teacher:
        """Take the parts of a Stable Diffusion 1, 2 or XL pipeline, and freeze its modules.

        Raises:
            PipelineError: another kind of pipeline.
        """
        parts: Any = pipe  # its class declares none of them
        unet: Any = getattr(pipe, "unet", None)
        config: Any = getattr(unet, "config", {})
        found = [(getattr(pipe, e, None), getattr(pipe, t, None)) for e, t in _ENCODERS]
        towers = tuple(OpenAIClipTower(e, t) for e, t in found if e is not None and t is not None)
        width = config.get("cross_attention_dim")
        has_own_width = sum(tower.width for tower in towers) == width
        if not towers or not has_own_width or config.get("encoder_hid_dim_type") is not None:
            raise PipelineError(
                f"{type(pipe).__name__} cannot teach: it has no UNet that reads its own CLIP "
                "towers as they are.",
                "Take a Stable Diffusion 1.x, 2.x or XL pipeline.",
            )
        if config_of(pipe).get("requires_aesthetics_score"):
            raise PipelineError(
                f"{type(pipe).__name__} with a refiner's UNet cannot teach: it reads an aesthetic "
                "score, and refines what another UNet drew.",
                "Take the base model's pipeline.",
            )
        for module in (unet, parts.vae, *(tower.model for tower in towers)):
            module.eval().requires_grad_(False)
        return cls(
            unet=unet,
            scheduler=parts.scheduler,
            vae=parts.vae,
            towers=towers,
            hashes=(teacher_fingerprint(towers), unet_fingerprint(unet)),
            family=unet_family(unet),
            width=width,
            pooled_width=pooled_width(pipe),
        )

    @property
    def length(self) -> int:
        """Count the rows of one chunk."""
        return self.towers[0].special.context_length

    @property
    def pixels_per_latent(self) -> int:
        """Compute the height and width in pixels of one latent."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def scheduler_settings(self) -> str:
        """Write the scheduler's settings as JSON, without what diffusers notes for itself."""
        config = {k: v for k, v in self.scheduler.config.items() if not k.startswith("_")}
        return json.dumps(config, sort_keys=True, default=str)

    def latent_shape(self) -> tuple[int, int, int]:
        """List [C H W] of the latents the UNet was made for."""
        size = self.unet.config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        return int(self.unet.config.in_channels), int(height), int(width)

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move towers and UNet; the autoencoder keeps its dtype (SDXL's overflows in float16)."""
        with silent_libraries():
            for module in (self.unet, *(tower.model for tower in self.towers)):
                module.to(device, dtype)

    def predict(
        self, noisy: Tensor, steps: Tensor, embeds: Tensor, pooled: Tensor | None
    ) -> Tensor:
        """Run the UNet on noisy latents [b C H W] at timesteps [b]; its prediction in float32."""
        dtype = self.unet.dtype
        more: dict[str, Tensor] = {}
        if pooled is not None:
            height, width = (n * self.pixels_per_latent for n in noisy.shape[-2:])
            sizes = [[height, width, 0, 0, height, width]] * len(noisy)  # whole, not cropped
            time_ids = torch.tensor(sizes, device=noisy.device, dtype=dtype)
            more = {"text_embeds": pooled.to(dtype), "time_ids": time_ids}
        result = self.unet(noisy.to(dtype), steps, embeds.to(dtype), added_cond_kwargs=more)
        prediction: Tensor = result.sample.float()
        return prediction

    def predict_with_blocks(
        self, noisy: Tensor, steps: Tensor, embeds: Tensor, pooled: Tensor | None
    ) -> list[Tensor]:
        """Run the UNet as `predict` does; its prediction, then the output of each of its blocks."""
        blocks = [*self.unet.down_blocks, self.unet.mid_block, *self.unet.up_blocks]
        with record_outputs([block for block in blocks if block is not None]) as outputs:
            prediction = self.predict(noisy, steps, embeds, pooled)
        return [prediction, *(output.float() for output in outputs)]

    def schedule(self) -> Scheduler:
        """Make a DDIM scheduler with the pipeline's noise schedule."""
        from diffusers import DDIMScheduler

        # thresholding and clipping are for pictures; latents have no such bounds
        config = copy.deepcopy(dict(self.scheduler.config))
        kind: Any = DDIMScheduler
        made: Scheduler = kind.from_config(config, clip_sample=False, thresholding=False)
        return made


@contextmanager
def record_outputs(modules: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Yield a list that holds each module's latest output inside the `with` block."""
    latest = [torch.empty(0)] * len(modules)

    def hook(i: int) -> Callable[..., None]:
        def keep(_: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
            latest[i] = output[0] if isinstance(output, tuple) else output

        return keep

    handles = [module.register_forward_hook(hook(i)) for i, module in enumerate(modules)]
    try:
        yield latest
    finally:
        for handle in handles:
            handle.remove()


def open_teacher(source: Teacher | DiffusersPipeline | str | os.PathLike[str] | None) -> Teacher:
    """Take a teacher from a pipeline; one that is named is opened in float32, on the CPU.

    Args:
        source: a pipeline, a diffusers folder, a .safetensors file or a hub id; None or "embedded"
            = the embedded model.
    Raises:
        CheckpointError: not found, incomplete or damaged.
        PipelineError: a pipeline that cannot teach.
    """
    if source is None or isinstance(source, str | os.PathLike):
        name = None if source is None or os.fspath(source) == "embedded" else os.fspath(source)
        source = load_pipeline(name, task="text2image", dtype=torch.float32)
    return source if isinstance(source, Teacher) else Teacher.from_pipeline(source)
