"""Draw prompts that change over the steps, and mixtures of prompts. Saves prompts_over_time.png."""

import torch
from PIL import Image, ImageDraw

from clipcond import build_pipeline

PROMPTS = """
a cat on a [red:blue:0.1] background
a cat on a [red:blue:0.3] background
a [cat:dog:0.5] on a green background
a cat AND a dog
a cat AND green background :0.7
""".strip().splitlines()
SEEDS, SIDE, LINE = 2, 128, 16

pipe = build_pipeline(clip_skip=2)
grid = Image.new("RGB", (SEEDS * SIDE, len(PROMPTS) * (SIDE + LINE)), "white")
for row, prompt in enumerate(PROMPTS):
    generators = [torch.Generator().manual_seed(seed) for seed in range(SEEDS)]
    images = pipe([prompt] * SEEDS, generator=generators, num_inference_steps=20).images
    top = row * (SIDE + LINE)
    ImageDraw.Draw(grid).text((4, top + 2), prompt, fill="black")
    for i, image in enumerate(images):
        grid.paste(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (i * SIDE, top + LINE))
grid.quantize(96).save("prompts_over_time.png", optimize=True)
print(grid.size)
