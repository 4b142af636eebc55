"""Attach to your diffusers pipeline and detach again. Prints which settings change its pictures."""

import torch
from diffusers import StableDiffusionPipeline

from clipcond import attach, detach, embedded

pipe = StableDiffusionPipeline.from_pretrained(embedded.folder()).to(torch.float32)
pipe.set_progress_bar_config(disable=True)


def latents(prompt: str) -> torch.Tensor:
    noise = torch.Generator().manual_seed(0)
    call = {"num_inference_steps": 4, "guidance_scale": 3.0, "output_type": "latent"}
    return pipe(prompt, generator=noise, **call).images


plain = latents("a red cat")
attach(pipe, clip_skip=1)
print("unweighted, as before:", torch.equal(latents("a red cat"), plain))
print("a weight acts:", not torch.equal(latents("a (red:1.3) cat"), plain))
attach(pipe, clip_skip=2)
print("clip skip acts:", not torch.equal(latents("a red cat"), plain))
detach(pipe)
print("detached, as before:", torch.equal(latents("a red cat"), plain))
