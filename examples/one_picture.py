"""Make one picture with the embedded model, on any machine. Saves one_picture.png."""

import torch

from clipcond import build_pipeline

pipe = build_pipeline(clip_skip=2)
image = pipe(
    "a (red:1.3) apple and a dog on a blue background",
    guidance_scale=5.0,
    num_inference_steps=20,
    generator=torch.Generator().manual_seed(0),
).images[0]
image.save("one_picture.png")
print(image.size)
