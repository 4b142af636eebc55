"""Train the UNet on cached latents and text states: v-prediction with zero terminal SNR
(Salimans & Ho 2022; Lin et al. 2023, "Common Diffusion Noise Schedules ... Are Flawed").

One sample in ten is drawn with the empty prompt (classifier-free guidance, Ho & Salimans 2022);
four in ten with the penultimate layer's text states (clip skip 2).
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from prepare_unet import SHARES
from torch import nn
from torch.nn import functional as F
from training import Losses, arguments, plan, train

DROP, PENULTIMATE = 0.1, 0.4
NOISY, NOISY_FROM = 0.5, 0.6  # half of the timesteps are of the noisiest 40 %: text decides there
WIDTH, LATENTS, SIDE = 128, 8, 16


def build(start_from: Path | None = None) -> UNet2DConditionModel:
    """The UNet, cross-attention below the top level only: fresh or with a folder's weights."""
    unet = UNet2DConditionModel(
        sample_size=SIDE,
        in_channels=LATENTS,
        out_channels=LATENTS,
        block_out_channels=(64, 128, 192),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
    )
    if start_from:
        unet.load_state_dict(UNet2DConditionModel.from_pretrained(start_from).state_dict())
    unet.set_attn_processor(AttnProcessor())  # the plain one: SDPA's backward is slow on CPU
    return unet.to(memory_format=torch.channels_last)


def scheduler() -> DDIMScheduler:
    """The noise schedule, as it is saved with the pipeline."""
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,  # without effect here; diffusers warns of anything else
        clip_sample=False,
    )


def timesteps(n: int, n_steps: int, generator: torch.Generator) -> torch.Tensor:
    """Draw `n` of the schedule's steps, noisy ones more often."""
    first = torch.where(torch.rand(n, generator=generator) < NOISY, NOISY_FROM, 0.0)
    where = first + (1 - first) * torch.rand(n, generator=generator)
    return (where * n_steps).long().clamp(max=n_steps - 1)


class Cached:
    """The groups of prepare_unet: latents, text states and the empty prompt's."""

    def __init__(self, folder: Path) -> None:
        def load(name: str, n_chunks: int) -> np.ndarray:
            return np.load(folder / f"{name}_{n_chunks}.npy", mmap_mode="r")

        self.latents = {n: load("latents", n) for n in SHARES}
        self.text = {n: load("text", n) for n in SHARES}
        self.empty = {n: load("empty", n) for n in SHARES}

    def batch(self, rng: random.Random, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents [n C H W] and text states [n S D] of one group; S varies with the group."""
        (group,) = rng.choices(list(SHARES), weights=list(SHARES.values()))
        rows = [rng.randrange(len(self.latents[group])) for _ in range(n)]
        text = []
        for row in rows:
            skip = int(rng.random() < PENULTIMATE)
            dropped = rng.random() < DROP
            text.append(self.empty[group][skip] if dropped else self.text[group][row, skip])
        latents = torch.from_numpy(self.latents[group][rows]).float()
        return latents, torch.from_numpy(np.stack(text)).float()


class Denoise(nn.Module):
    """Latents, noise, timesteps and text states -> the loss."""

    def __init__(self, start_from: Path | None = None) -> None:
        super().__init__()
        self.unet = build(start_from)
        self.schedule = scheduler()

    def forward(
        self, latents: torch.Tensor, noise: torch.Tensor, steps: torch.Tensor, text: torch.Tensor
    ) -> Losses:
        noisy = self.schedule.add_noise(latents, noise, steps)
        noisy = noisy.to(memory_format=torch.channels_last)
        target = self.schedule.get_velocity(latents, noise, steps)
        return {"v": F.mse_loss(self.unet(noisy, steps, text).sample.float(), target)}


def main() -> None:
    """Run the stage and save the UNet and its scheduler as diffusers folders."""
    parser = arguments(__doc__ or "", steps=9000, batch=24, lr=8e-4)
    parser.add_argument("--start-from", type=Path, help="a UNet folder, instead of fresh weights")
    options = parser.parse_args()
    the_plan = plan("unet", options, ema=0.998, warmup=150)
    cached = Cached(options.runs / "unet_data")
    torch.manual_seed(the_plan.seed)
    model = Denoise(options.start_from)
    n_steps = model.schedule.config.num_train_timesteps

    def loss_of(wrapped: nn.Module, rng: random.Random, step: int) -> Losses:
        latents, text = cached.batch(rng, the_plan.batch)
        generator = torch.Generator().manual_seed(rng.getrandbits(31))
        noise = torch.randn(latents.shape, generator=generator)
        steps = timesteps(len(latents), n_steps, generator)
        device = next(wrapped.parameters()).device
        return wrapped(*(x.to(device) for x in (latents, noise, steps, text)))

    def save(trained: nn.Module, step: int) -> None:
        trained.unet.save_pretrained(the_plan.folder / "final" / "unet")
        trained.schedule.save_pretrained(the_plan.folder / "final" / "scheduler")

    train(the_plan, model, loss_of, save)


if __name__ == "__main__":
    main()
