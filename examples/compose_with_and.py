"""AND mixes what several prompts say at every step, by their weights. Prints how far each pulls."""

import torch

from clipcond import build_pipeline, compose

pipe = build_pipeline(clip_skip=2, device="cpu", dtype="float32")
pipe.set_progress_bar_config(disable=True)


def latents(prompt: str) -> torch.Tensor:
    call = {"num_inference_steps": 4, "output_type": "latent"}
    return pipe(prompt, generator=torch.Generator().manual_seed(3), **call).images


cat, dog = latents("a cat"), latents("a dog")
for prompt in ("a cat AND a dog :0", "a cat AND a dog :0.5", "a cat :0.5 AND a dog"):
    mixed = latents(prompt)
    parts = " + ".join(f"{weight:g} x {text.strip()!r}" for text, weight in compose(prompt))
    far = [f"{(mixed - other).norm():.1f}" for other in (cat, dog)]
    print(f"{parts:27} {far[0]} from the cat, {far[1]} from the dog")
