"""Show what each word of a prompt drew. Saves heat_maps.png, prints two of the highest places."""

import torch

from clipcond import build_pipeline
from clipcond.pipelines import trace

PROMPT = "a cat to the left of a (dog:1.2) on a blue background"

pipe = build_pipeline()
with trace(pipe) as seen:
    picture = pipe(PROMPT, generator=torch.Generator().manual_seed(0)).images[0]
for word in ("cat", "dog"):
    heat = seen.heat_map(word)
    print(f"{word}: at most {heat.values.max():.2f} of the attention, at {heat.peak}")
seen.sheet(picture).quantize(192).save("heat_maps.png")
