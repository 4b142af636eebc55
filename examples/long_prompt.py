"""A prompt of more than 75 tokens, and BREAK. Prints how it is cut and saves long_prompt.png.

Text is cut after a comma if one is near the end of a chunk, so that no phrase is torn. BREAK starts
a new chunk anywhere.
"""

import torch

from clipcond import build_pipeline

pipe = build_pipeline(clip_skip=2)
prompt = "masterpiece, best quality, highly detailed, " * 12 + "a panda on a yellow background"

for text in (prompt, "a panda BREAK on a yellow background"):
    chunks = pipe.conditioner.chunks(text)
    embeds = pipe.conditioner(text).embeds
    print([chunk.content for chunk in chunks], "tokens in chunks ->", tuple(embeds.shape))

image = pipe(prompt, num_inference_steps=20, generator=torch.Generator().manual_seed(0)).images[0]
image.save("long_prompt.png")
