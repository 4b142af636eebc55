"""Draw a prompt for each half of a picture, then the halves exchanged. Saves regions.png."""

import torch
from PIL import Image

from clipcond import build_pipeline
from clipcond.pipelines import Region

# the embedded model draws one thing in the middle and two at the sides: each half asks for two, of
# which it shows its own
CASES = [
    ("a cat and a cat", "a dog and a dog", "on a green background"),
    ("a panda and a panda", "a fox and a fox", "on a pink background"),
    ("a rocket and a rocket", "an owl and an owl", "on a yellow background"),
]
SIDE = 128

pipe = build_pipeline(clip_skip=2)
grid = Image.new("RGB", (len(CASES) * SIDE, 2 * SIDE))
for column, (*texts, background) in enumerate(CASES):
    for row, places in enumerate([("left", "right"), ("right", "left")]):
        pairs = zip(texts, places, strict=True)
        regions = [Region(f"{text} {background}", place) for text, place in pairs]
        generator = torch.Generator().manual_seed(column)
        image = pipe("", regions=regions, generator=generator, num_inference_steps=20).images[0]
        large = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        grid.paste(large, (column * SIDE, row * SIDE))
grid.quantize(96).save("regions.png", optimize=True)
print(grid.size)
