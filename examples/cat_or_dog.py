"""Name what pictures show, as CLIP's paper does: no training. Prints each picture's labels."""

import torch

from clipcond import build_pipeline
from clipcond.reading import ZeroShotClassifier, load_encoder

# With OpenAI's package: model, preprocess = clip.load("ViT-B/32"). Here one line opens both halves,
# and the picture is prepared as that model wants it; any whole CLIP is named in the same way.
encoder = load_encoder("embedded")
classify = ZeroShotClassifier(encoder, ["cat", "dog"])  # "A photo of a cat", "A photo of a dog"

pipe = build_pipeline()
pipe.set_progress_bar_config(disable=True)
images = [
    pipe(f"a {thing}", num_inference_steps=10, generator=torch.Generator().manual_seed(4)).images[0]
    for thing in ("cat", "dog", "frog")
]


def show(step: str) -> None:
    print(step)
    for drawn, ranked in zip(("cat", "dog", "frog"), classify(images), strict=True):
        print(f"  a drawn {drawn}:", ", ".join(f"{label} {share:.0%}" for label, share in ranked))


show("two labels")
classify.add("frog")  # a new class is one more row, and no training
show("and a third")
