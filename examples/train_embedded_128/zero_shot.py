"""Zero-shot accuracy of the CLIP pair over all nouns, by artist and on photographs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPModel, CLIPTokenizer

from .nouns import NOUNS
from .render import Renderer, as_tensors, seeded
from .sprites import ALL_SETS, Sprites
from .world import BACKGROUNDS, SIZE, Scene, Thing

TEMPLATES = ("{}", "a {}", "a picture of a {} on a white background", "{} emoji")
AT_ONCE = 64
# Pictures that scikit-image and scikit-learn bring: package, file, and the nouns that are right.
PHOTOGRAPHS = (
    ("skimage", "data/chelsea.png", ("cat",)),
    ("skimage", "data/rocket.jpg", ("rocket",)),
    ("skimage", "data/coffee.png", ("coffee",)),
    ("skimage", "data/motorcycle_left.png", ("motorcycle",)),
    ("sklearn", "datasets/images/flower.jpg", ("tulip", "rose", "sunflower", "cherry blossom")),
)


@torch.no_grad()
def text_classes(clip: CLIPModel, tokenizer: CLIPTokenizer, device: str) -> Tensor:
    """One embedding a noun, averaged over templates: [nouns P]."""
    rows = []
    for template in TEMPLATES:
        texts = [template.format(noun.names[0]) for noun in NOUNS]
        ids = tokenizer(texts, padding=True, return_tensors="pt").input_ids.to(device)
        text = clip.text_projection(clip.text_model(ids).pooler_output)
        rows.append(F.normalize(text, dim=-1))
    return F.normalize(torch.stack(rows).mean(0), dim=-1)


@torch.no_grad()
def image_rows(clip: CLIPModel, images: Tensor) -> Tensor:
    """Embeddings of pictures [n 3 SIZE SIZE] in -1..1: [n P]."""
    parts = [
        clip.visual_projection(clip.vision_model(part).pooler_output)
        for part in images.split(AT_ONCE)
    ]
    return F.normalize(torch.cat(parts), dim=-1)


@torch.no_grad()
def zero_shot(
    clip: CLIPModel,
    tokenizer: CLIPTokenizer,
    sprites: Sprites,
    device: str,
    backgrounds: Sequence[str] = BACKGROUNDS[6:7],
) -> dict[str, tuple[float, float, int]]:
    """Share of nouns named right at once, and among the first five, and their number; by artist."""
    classes = text_classes(clip, tokenizer, device)
    found = {}
    for i, name in enumerate(ALL_SETS):
        nouns = (sprites.rows[:, 0, i] >= 0).nonzero()[:, 0].tolist()
        if not nouns:
            continue
        scenes = as_tensors([Scene(b, (Thing(n),)) for b in backgrounds for n in nouns]).to(device)
        sets = torch.full((len(scenes),), i, device=device)
        images = Renderer(sprites).draw(scenes, seeded(device, "zero-shot", name), sets)
        best = (image_rows(clip, images) @ classes.T).topk(5).indices
        right = best == scenes.noun[:, :1]
        top_1, top_5 = right[:, 0].float().mean().item(), right.any(1).float().mean().item()
        found[name] = round(top_1, 4), round(top_5, 4), len(scenes)
    return found


@torch.no_grad()
def photographs(clip: CLIPModel, tokenizer: CLIPTokenizer) -> dict[str, dict[str, object]]:
    """Name the photographs of the packages that are installed: the first five nouns, and at which
    rank, from 1, the first right one is.
    """
    classes, found = text_classes(clip, tokenizer, "cpu"), {}
    names = [noun.names[0] for noun in NOUNS]
    for package, file, right in PHOTOGRAPHS:
        if (spec := find_spec(package)) is None or spec.origin is None:
            continue
        with Image.open(Path(spec.origin).parent / file) as opened:
            image = ImageOps.fit(opened.convert("RGB"), (SIZE, SIZE), Image.Resampling.BICUBIC)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        row = image_rows(clip, pixels.view(1, SIZE, SIZE, 3).permute(0, 3, 1, 2) / 127.5 - 1)
        best = [names[i] for i in (row @ classes.T)[0].argsort(descending=True).tolist()]
        rank = 1 + min(map(best.index, right))
        found[Path(file).stem] = {"right at": rank, "first five": best[:5]}
    return found
