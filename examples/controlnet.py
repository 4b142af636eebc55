"""A ControlNet steers where, the prompt what. Prints that weights and editing act next to it."""

import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline
from PIL import Image, ImageDraw

from clipcond import attach, build_pipeline

model = build_pipeline(device="cpu", dtype="float32")
torch.manual_seed(0)
# a new one that fits this model's latents; yours is trained: ControlNetModel.from_pretrained(...)
halvings = (16, 32, 96, 256)[: len(model.vae.config.block_out_channels)]
controlnet = ControlNetModel.from_unet(model.unet, conditioning_embedding_out_channels=halvings)
for layer in controlnet.controlnet_down_blocks:  # a new one says nothing until it has learnt
    torch.nn.init.normal_(layer.weight, std=0.02)
pipe = attach(StableDiffusionControlNetPipeline(controlnet=controlnet, **model.components))
pipe.set_progress_bar_config(disable=True)

side = model.unet.config.sample_size * model.vae_scale_factor
edges = Image.new("RGB", (side, side))
ImageDraw.Draw(edges).ellipse((side // 4,) * 2 + (side * 3 // 4,) * 2, outline="white", width=2)


def latents(prompt: str) -> torch.Tensor:
    noise = torch.Generator().manual_seed(0)
    call = {"num_inference_steps": 4, "output_type": "latent", "guidance_scale": 3.0}
    return pipe(prompt, image=edges, generator=noise, **call).images


plain = latents("a red cat")
for prompt in ("a (red:1.4) cat", "a [red:blue:0.5] cat", "a cat AND a dog", "a red cat"):
    print(f"{prompt:22} differs by {(latents(prompt) - plain).abs().max():.4f}")
