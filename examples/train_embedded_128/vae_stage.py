"""Train the autoencoder: L1, MSE, and edges at three scales; first crops, then whole pictures."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F

from . import models
from .loop import Losses, Now, Stage, train
from .pool import Records
from .render import Renderer, seeded
from .settings import Work
from .sprites import Sprites
from .world import SIZE

CROP = 64  # pixels
N_CROPS = 4  # of each picture, for the price of one
CROPS_UNTIL = 0.7  # of the steps
KL = 1e-4
EDGES = 0.5
N_CHECKED = 256


def edge_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean difference of gradients at full, half and quarter size.

    Edges are what the eye sees first in flat drawings; as LPIPS does, coarse scales count as much.
    """
    total = made.new_zeros(())
    for _ in range(3):
        for shift in ((0, 1), (1, 0)):
            moved = [x[..., shift[0] :, shift[1] :] for x in (made, wanted)]
            height, width = moved[0].shape[-2:]
            kept = [x[..., :height, :width] for x in (made, wanted)]
            total = total + ((moved[0] - kept[0]) - (moved[1] - kept[1])).abs().mean()
        made, wanted = F.avg_pool2d(made, 2), F.avg_pool2d(wanted, 2)
    return total


class Reconstruct(nn.Module):
    """Pictures and noise for the latents -> decoded pictures and KL."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self.vae.encode(images).latent_dist
        latents = posterior.mean + posterior.std * noise
        return self.vae.decode(latents).sample, posterior.kl().mean() / latents[0].numel()


def crops(images: Tensor, generator: torch.Generator) -> Tensor:
    """N_CROPS windows of every picture, at places common to the batch."""
    places = torch.randint(
        SIZE - CROP + 1, (N_CROPS, 2), generator=generator, device=images.device
    ).tolist()
    return torch.cat([images[:, :, y : y + CROP, x : x + CROP] for y, x in places])


def vae_stage(work: Work, sprites: Sprites, pool: dict[int, Records]) -> AutoencoderKL:
    """Train and save the autoencoder; print what it loses on held-back seeds."""
    torch.manual_seed(work.seed)
    renderer, scenes = Renderer(sprites), pool[1].scenes
    model = Reconstruct(models.autoencoder(work.sizes).to(memory_format=torch.channels_last))
    if "vae" in work.compiled:
        model.compile(dynamic=False)
    side = SIZE // 2 ** (len(work.sizes.vae) - 1)

    def loss_of(wrapped: nn.Module, now: Now) -> Losses:
        generator = now.generator
        rows = torch.randint(
            len(scenes), (work.batches.vae,), generator=generator, device=work.device
        )
        images = renderer.draw(scenes[rows], generator)
        small = now.done < CROPS_UNTIL
        if small:
            images = crops(images, generator)
        shape = (len(images), work.sizes.latents, *[side // (SIZE // CROP if small else 1)] * 2)
        noise = torch.randn(shape, generator=generator, device=work.device)
        images = images.contiguous(memory_format=torch.channels_last)
        made, kl = wrapped(images, noise)
        made = made.float()
        return {
            "l1": (made - images).abs().mean(),
            "l2": F.mse_loss(made, images),
            "edge": EDGES * edge_loss(made, images),
            "kl": KL * kl.float(),
        }

    train(Stage("vae", work, weight_decay=0.0), model, loss_of)
    check(model.vae, renderer, scenes, work)
    model.vae.save_pretrained(work.runs / "vae" / "final")
    return model.vae


@torch.no_grad()
def check(vae: AutoencoderKL, renderer: Renderer, scenes: object, work: Work) -> None:
    """Set the scaling factor, and print the PSNR of fresh renderings."""
    generator = seeded(work.device, "vae check")
    rows = torch.arange(min(N_CHECKED, len(scenes)), device=work.device)  # type: ignore[arg-type]
    error, spread, n = 0.0, 0.0, 0
    for part in rows.split(64):
        images = renderer.draw(scenes[part], generator)  # type: ignore[index]
        latents = vae.encode(images).latent_dist.mean
        made = vae.decode(latents).sample.clamp(-1, 1)
        error += ((made - images) / 2).square().mean((1, 2, 3)).log10().mul(-10).sum().item()
        spread += latents.square().mean().item() * len(part)
        n += len(part)
    vae.register_to_config(scaling_factor=round((spread / n) ** -0.5, 4))
    print(f"vae: PSNR {error / n:.2f} dB, latents {(spread / n) ** 0.5:.3f}", flush=True)
