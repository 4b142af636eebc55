"""Train the autoencoder's decoder on, with its encoder frozen: the UNet's latents stay as they are.

Most pixels of a picture are plain background, which is right long before what stands on it is
sharp; here those of things count more, and whole pictures are decoded from latents that are a
little noisy, as the UNet's are.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from .loop import Losses, Now, Stage, train
from .pool import Records
from .render import Renderer
from .settings import Work
from .sprites import Sprites
from .vae_stage import EDGES, check, edge_loss

THINGS = 4.0  # how much more a pixel of a thing counts
AWAY = 0.15  # from the picture's median, in -1..1: that is a thing
NOISE = 0.05  # of the latents, of their deviation


class Decoder(nn.Module):
    """What is trained."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.post_quant_conv, self.decoder = vae.post_quant_conv, vae.decoder

    def forward(self, latents: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(latents))


def weights_of(images: Tensor) -> Tensor:
    """How much each pixel of pictures [n 3 H W] counts, 1 on the average: [n 1 H W]."""
    middle = images.flatten(2).median(2).values[..., None, None]
    things = ((images - middle).abs().amax(1, keepdim=True) > AWAY).float()
    weights = 1 + THINGS * things
    return weights / weights.mean((1, 2, 3), keepdim=True)


def decoder_stage(
    work: Work, sprites: Sprites, pool: dict[int, Records], vae: AutoencoderKL
) -> AutoencoderKL:
    """Train and save the autoencoder; print what it loses on held-back seeds."""
    torch.manual_seed(work.seed)
    vae.to(work.device).eval().requires_grad_(False)
    scale, scenes = vae.config.scaling_factor, pool[1].scenes
    decoder, renderer = Decoder(vae).requires_grad_(True), Renderer(sprites, wander=True)

    def loss_of(model: nn.Module, now: Now) -> Losses:
        generator, n = now.generator, work.batches.decoder
        rows = torch.randint(len(scenes), (n,), generator=generator, device=work.device)
        images = renderer.draw(scenes[rows], generator)
        with torch.no_grad():
            latents = vae.encode(images).latent_dist.mean
        noise = torch.randn(latents.shape, generator=generator, device=work.device)
        made = model((latents + NOISE / scale * noise).contiguous()).float()
        return {
            "l1": ((made - images).abs() * weights_of(images)).mean(),
            "l2": ((made - images).square() * weights_of(images)).mean(),
            "edge": EDGES * edge_loss(made, images),
        }

    train(Stage("decoder", work, weight_decay=0.0), decoder, loss_of)
    check(vae, Renderer(sprites), scenes, work)
    vae.register_to_config(scaling_factor=scale)  # as the UNet was trained with
    vae.save_pretrained(work.runs / "decoder" / "final")
    return vae
