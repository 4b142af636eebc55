"""Draw sixteen prompts with the embedded model. Saves picture_grid.png."""

import torch
from PIL import Image

from clipcond import build_pipeline

PROMPTS = """
a cat on a blue background
panda, pink background
a (red:1.3) apple and a dog on a blue background
a rocket on a black background
a small frog on a yellow background
a large strawberry, white background
a fox to the left of a tree, purple background
pumpkin and ghost on black background
a penguin right of an umbrella on a red background
masterpiece, best quality, a unicorn, pink background
[sun], (moon:1.4), purple background
a pizza and a burger on a green background
a robot in front of a yellow background
owl left of crown, blue background
an ice cream and a balloon on a white background
a tiger on a green background, flat design, cute
""".strip().splitlines()

pipe = build_pipeline(clip_skip=2)
generator = [torch.Generator().manual_seed(i) for i in range(len(PROMPTS))]
images = pipe(PROMPTS, generator=generator, num_inference_steps=20).images
side = 128
grid = Image.new("RGB", (8 * side, 2 * side))
for i, image in enumerate(images):
    large = image.resize((side, side), Image.Resampling.LANCZOS)
    grid.paste(large, (i % 8 * side, i // 8 * side))
grid.save("picture_grid.png")
print(grid.size)
