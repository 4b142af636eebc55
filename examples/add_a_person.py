"""Recognize faces by the nearest of one vector each. Prints who is seen, and how sure that is.

A classifier of persons would be trained again for each new one. Here a person is a row of an index.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from clipcond import build_pipeline
from clipcond.reading import ImageIndex, load_encoder

SAME = 0.7  # cosine; measure it on pictures of your own
encoder = load_encoder("embedded")
index = ImageIndex(encoder)
pipe = build_pipeline()
pipe.set_progress_bar_config(disable=True)


def photo(person: str, background: str, seed: int, folder: str) -> Path:
    noise = torch.Generator().manual_seed(seed)
    image = pipe(f"{person}, {background} background", num_inference_steps=10, generator=noise)
    path = Path(folder, f"{person} {seed}.png")
    image.images[0].save(path)
    return path


def recognize(picture: Path) -> str:
    ((nearest, cosine),) = index.search(picture, k=1)
    name = nearest.stem.split()[0]
    return f"{name}, {cosine:.2f}" if cosine >= SAME else f"nobody known (nearest {cosine:.2f})"


with TemporaryDirectory() as folder:
    index.add([photo(person, "blue", 1, folder) for person in ("clown", "robot")])
    seen = [photo(person, "blue", 2, folder) for person in ("clown", "robot", "alien")]
    print("two persons are known:", *(recognize(picture) for picture in seen), sep="\n  ")
    index.add(photo("alien", "blue", 1, folder))  # one vector more, and no training
    print("and a third:", *(recognize(picture) for picture in seen), sep="\n  ")
