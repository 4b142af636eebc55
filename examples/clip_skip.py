"""The same prompt and noise at clip skip 1, 2 and 3. Saves clip_skip.png, three pictures in a row.

Clip skip counts as A1111 does: 1 is the last layer of the text tower, 2 the one before it. It holds
for the negative prompt too.
"""

import torch
from PIL import Image

from clipcond import build_pipeline

pipe = build_pipeline()
images = []
for clip_skip in (1, 2, 3):
    embeds = pipe.conditioner("a cat on a blue background", clip_skip=clip_skip).embeds
    print(f"clip skip {clip_skip}: mean {embeds.mean():+.4f}, deviation {embeds.std():.4f}")
    call = pipe(
        "a cat on a blue background",
        clip_skip=clip_skip,
        num_inference_steps=20,
        generator=torch.Generator().manual_seed(1),
    )
    images.append(call.images[0])

row = Image.new("RGB", (3 * images[0].width, images[0].height))
for i, image in enumerate(images):
    row.paste(image, (i * image.width, 0))
row.save("clip_skip.png")
