"""Load a pipeline that attaches itself, by diffusers' custom_pipeline=. Prints what it takes."""

from pathlib import Path

import torch
from diffusers import DiffusionPipeline

from clipcond import embedded

# "pipelines/stable_diffusion.py" of this repository; in the place of "lpw_stable_diffusion"
file = Path(__file__).parents[1] / "pipelines" / "stable_diffusion.py"
pipe = DiffusionPipeline.from_pretrained(
    embedded.folder(),
    custom_pipeline=str(file),
    trust_remote_code=True,
    clip_skip=2,  # this and the rest of what attach() takes
    dialect="compel",
).to(torch.float32)
pipe.set_progress_bar_config(disable=True)
print(type(pipe).__name__, "in the dialect", pipe.conditioner.dialect.name)


def latents(prompt: str) -> torch.Tensor:
    call = {"num_inference_steps": 4, "output_type": "latent"}
    return pipe(prompt, generator=torch.Generator().manual_seed(0), **call).images


for prompt in ("a red++ cat", "a red cat, " * 30, "a red cat"):
    print(f"{prompt[:14]:14} differs by {(latents(prompt) - latents('a red cat')).abs().max():.4f}")
