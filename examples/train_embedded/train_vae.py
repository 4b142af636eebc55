"""Train the autoencoder: 64 x 64 x 3 pixels <-> 16 x 16 x 8 latents (diffusers AutoencoderKL).

The first part of the run sees 32 x 32 crops, four for the price of one picture; the rest
whole scenes.
"""

from __future__ import annotations

import random

import numpy as np
import torch
from captions import Mix, sample
from diffusers import AutoencoderKL
from torch import nn
from torch.nn import functional as F
from training import Losses, arguments, plan, train
from world import SIZE, render

CROP = 32  # pixels
CROPS_UNTIL = 0.7  # of the steps
KL = 2e-4


def build() -> AutoencoderKL:
    """The autoencoder with fresh weights."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=8,
        sample_size=SIZE,
        block_out_channels=(16, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
    )


def pictures(rng: random.Random, n: int) -> torch.Tensor:
    """`n` scenes: float32 [n 3 SIZE SIZE] in -1..1."""
    mix = Mix(sized=0.4, weighted=0.2)
    drawn = np.stack([render(sample(rng, mix).scene, rng) for _ in range(n)])
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1


def crops(images: torch.Tensor, rng: random.Random, n_each: int) -> torch.Tensor:
    """`n_each` random CROP x CROP windows of every image."""
    windows = []
    for _ in range(n_each):
        x, y = rng.randint(0, SIZE - CROP), rng.randint(4, SIZE - CROP - 4)
        windows.append(images[:, :, y : y + CROP, x : x + CROP])
    return torch.cat(windows)


def _edges(images: torch.Tensor) -> torch.Tensor:
    dx = images[..., 1:-1, 1:] - images[..., 1:-1, :-1]
    dy = images[..., 1:, 1:-1] - images[..., :-1, 1:-1]
    return torch.cat([dx.flatten(1), dy.flatten(1)], dim=1)


class Reconstruct(nn.Module):
    """One forward that returns the losses (so that it can be wrapped for several processes)."""

    def __init__(self) -> None:
        super().__init__()
        self.vae = build().to(memory_format=torch.channels_last)

    def forward(self, images: torch.Tensor) -> Losses:
        images = images.to(memory_format=torch.channels_last)
        posterior = self.vae.encode(images).latent_dist
        decoded = self.vae.decode(posterior.sample()).sample
        return {
            "l1": (decoded - images).abs().mean(),
            "l2": F.mse_loss(decoded, images),
            "edge": 0.5 * (_edges(decoded) - _edges(images)).abs().mean(),
            "kl": KL * posterior.kl().mean() / posterior.mean[0].numel(),
        }


def main() -> None:
    """Run the stage and save the autoencoder as a diffusers folder."""
    options = arguments(__doc__ or "", steps=5000, batch=16, lr=2e-3).parse_args()
    the_plan = plan("vae", options, ema=0.998, weight_decay=0.0)

    def loss_of(model: nn.Module, rng: random.Random, step: int) -> Losses:
        torch.manual_seed(rng.getrandbits(31))
        images = pictures(rng, the_plan.batch)
        if step < CROPS_UNTIL * the_plan.steps:
            images = crops(images, rng, 4)
        return model(images.to(next(model.parameters()).device))

    def save(model: nn.Module, step: int) -> None:
        rng = random.Random("vae validation")
        with torch.no_grad():
            images = pictures(rng, 256).to(next(model.parameters()).device)
            latents = model.vae.encode(images).latent_dist.sample()
            decoded = model.vae.decode(latents).sample.clamp(-1, 1)
        error = F.mse_loss(decoded, images).item() / 4
        model.vae.register_to_config(scaling_factor=round(1 / latents.std().item(), 4))
        model.vae.save_pretrained(the_plan.folder / "final")
        print(f"PSNR {-10 * np.log10(error):.2f} dB, latent std {latents.std().item():.3f}")

    train(the_plan, Reconstruct(), loss_of, save)


if __name__ == "__main__":
    main()
