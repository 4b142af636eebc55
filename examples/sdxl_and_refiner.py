"""SDXL and its refiner read the same prompt. Prints what each gets, and what the weights change."""

import torch
from tiny_models import sdxl, sdxl_refiner

from clipcond import attach

base = sdxl()
refiner = sdxl_refiner(base)
attach(base, clip_skip=2)
attach(refiner)


def drawn(prompt: str) -> torch.Tensor:
    """The first four fifths of the steps by the base, the rest by the refiner."""
    steps = {"num_inference_steps": 5, "generator": torch.Generator().manual_seed(0)}
    latents = base(prompt, denoising_end=0.8, output_type="latent", **steps).images
    call = refiner(prompt, image=latents, denoising_start=0.8, output_type="latent", **steps)
    return call.images


for name, pipe in (("base", base), ("refiner", refiner)):
    conditioning = pipe.conditioner("a (red:1.3) fox")
    print(f"{name} reads {tuple(conditioning.embeds.shape)}, pooled {conditioning.pooled.shape[1]}")
plain = drawn("a red fox")
for prompt in ("a (red:1.3) fox", "a [red:blue:0.5] fox", "a red fox, " * 30):
    print(f"{prompt[:24]:24} differs by {(drawn(prompt) - plain).abs().max():.4f}")
