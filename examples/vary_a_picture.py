"""Vary a picture, with a prompt and towards another. Saves variations.png: each row a way."""

import torch
from PIL import Image

from clipcond import build_pipeline, slerp

N = 4  # pictures in a row
pipe = build_pipeline()
pipe.set_progress_bar_config(disable=True)
conditioner = pipe.conditioner


def draw(**call):
    generator = [torch.Generator().manual_seed(i) for i in range(N)]
    return pipe(generator=generator, num_inference_steps=20, **call).images


fox, owl = draw(prompt=["a fox on a blue background", "an owl on a pink background"] * 2)[:2]
first, last = conditioner.image_reader.embed([fox, owl])
between = torch.stack([slerp(first, last, i / (N - 1)) for i in range(N)])
rows = [
    [fox, owl],
    draw(prompt_embeds=conditioner.with_image([fox] * N).embeds),
    draw(prompt_embeds=conditioner.with_image([fox] * N, "a tree").embeds),
    draw(prompt_embeds=conditioner.with_image(between).embeds),
]
side = 128
sheet = Image.new("RGB", (N * side, len(rows) * side), "white")
for y, row in enumerate(rows):
    for x, image in enumerate(row):
        sheet.paste(image.resize((side, side), Image.Resampling.LANCZOS), (x * side, y * side))
sheet.save("variations.png")
print(sheet.size)
