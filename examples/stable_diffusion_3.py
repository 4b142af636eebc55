"""Stable Diffusion 3: both CLIP towers read weights, T5 the words. Prints what the model reads."""

import torch
from tiny_models import sd3

from clipcond import attach

pipe = attach(sd3(), clip_skip=2)


def latents(prompt: str) -> torch.Tensor:
    call = {"num_inference_steps": 4, "output_type": "latent"}
    return pipe(prompt, generator=torch.Generator().manual_seed(0), **call).images


conditioning = pipe.conditioner("a (red:1.3) fox")
print(f"of CLIP: rows {tuple(conditioning.embeds.shape)}, pooled {conditioning.pooled.shape[1]}")
plain = latents("a red fox")
for prompt in ("a (red:1.3) fox", "a [red:blue:0.5] fox", "a red fox AND snow :0.5"):
    print(f"{prompt:24} differs by {(latents(prompt) - plain).abs().max():.4f}")
