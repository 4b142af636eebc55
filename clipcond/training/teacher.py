"""The teacher: a pipeline's own text towers, and the UNet that reads them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clipcond.adapters import teacher_fingerprint, unet_family, unet_fingerprint
from clipcond.errors import PipelineError
from clipcond.pipelines.loading import load_pipeline
from clipcond.pipelines.verbosity import silent_libraries
from clipcond.towers import OpenAIClipTower, TextTower

__all__ = ["Teacher", "open_teacher"]

_ENCODERS = (("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2"))


@dataclass(frozen=True, slots=True)
class Teacher:
    """A UNet, its text towers and what else drawing takes; frozen.

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
    towers: tuple[TextTower, ...]
    hashes: tuple[str, str]
    family: str
    width: int
    pooled_width: int | None

    @classmethod
    def of(cls, pipe: Any) -> Teacher:
        """The teacher in a Stable Diffusion 1, 2 or XL pipeline; the pipeline's modules are frozen.

        Raises:
            PipelineError: another kind of pipeline.
        """
        unet: Any = getattr(pipe, "unet", None)
        config: Any = getattr(unet, "config", {})
        found = [(getattr(pipe, e, None), getattr(pipe, t, None)) for e, t in _ENCODERS]
        towers = tuple(OpenAIClipTower(e, t) for e, t in found if e is not None and t is not None)
        pooled = config.get("addition_embed_type") == "text_time"
        width = config.get("cross_attention_dim")
        fits = sum(tower.width for tower in towers) == width
        if not towers or not fits or config.get("encoder_hid_dim_type") is not None:
            raise PipelineError(
                f"{type(pipe).__name__} cannot teach: it has no UNet that reads its own CLIP "
                "towers as they are.",
                "Take a Stable Diffusion 1.x, 2.x or XL pipeline.",
            )
        for module in (unet, pipe.vae, *(tower.model for tower in towers)):
            module.eval().requires_grad_(False)
        return cls(
            unet=unet,
            scheduler=pipe.scheduler,
            vae=pipe.vae,
            towers=towers,
            hashes=(teacher_fingerprint(towers), unet_fingerprint(unet)),
            family=unet_family(unet),
            width=width,
            pooled_width=_pooled_width(towers[-1]) if pooled else None,
        )

    @property
    def length(self) -> int:
        """Rows of one chunk."""
        return self.towers[0].special.context_length

    def latent_shape(self) -> tuple[int, int, int]:
        """[C H W] of the latents the UNet was made for."""
        size = self.unet.config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        return int(self.unet.config.in_channels), int(height), int(width)

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move towers and UNet; the autoencoder keeps its dtype (SDXL's overflows in float16)."""
        with silent_libraries():
            for module in (self.unet, *(tower.model for tower in self.towers)):  # type: ignore[attr-defined]
                module.to(device, dtype)

    def predict(
        self, noisy: Tensor, steps: Tensor, embeds: Tensor, pooled: Tensor | None
    ) -> Tensor:
        """What the UNet predicts for noisy latents [b C H W] at timesteps [b], in float32."""
        dtype = self.unet.dtype
        more: dict[str, Tensor] = {}
        if pooled is not None:
            more = {"text_embeds": pooled.to(dtype), "time_ids": self._sizes(noisy)}
        result = self.unet(noisy.to(dtype), steps, embeds.to(dtype), added_cond_kwargs=more)
        prediction: Tensor = result.sample.float()
        return prediction

    def _sizes(self, noisy: Tensor) -> Tensor:
        """SDXL's picture sizes [b 6]: drawn whole, uncropped."""
        scale = 2 ** (len(self.vae.config.block_out_channels) - 1)
        height, width = noisy.shape[-2] * scale, noisy.shape[-1] * scale
        row = [height, width, 0, 0, height, width]
        return torch.tensor([row] * len(noisy), device=noisy.device, dtype=self.unet.dtype)

    def schedule(self) -> Any:
        """A DDIM scheduler with the pipeline's noise schedule, one of its own."""
        from diffusers import DDIMScheduler

        # thresholding and clipping are for pictures; latents have no such bounds
        config = copy.deepcopy(dict(self.scheduler.config))
        return DDIMScheduler.from_config(config, clip_sample=False, thresholding=False)


def _pooled_width(tower: TextTower) -> int:
    config: Any = tower.model.config  # type: ignore[attr-defined]
    return int(config.projection_dim)


def open_teacher(source: str | None, dtype: torch.dtype) -> Teacher:
    """Open a pipeline as a teacher, on the CPU.

    Args:
        source: a diffusers folder, a .safetensors file or a hub id; None or "embedded" = the
            embedded model.
        dtype: float32 or float16; hashes are the same in both.
    Raises:
        CheckpointError: not found, incomplete or damaged.
        PipelineError: a pipeline that cannot teach.
    """
    named = None if source == "embedded" else source
    return Teacher.of(load_pipeline(named, task="text2image", dtype=dtype))
