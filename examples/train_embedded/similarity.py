"""CLIP similarity in the embedded model's own space, for measuring its pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPVisionModelWithProjection

from clipcond.checkpoints import load_tower
from clipcond.embedded import folder
from clipcond.towers import HiddenLayer

__all__ = ["similarity"]


@torch.no_grad()
def similarity(images: Tensor, prompts: Sequence[str]) -> Tensor:
    """Compute the cosine of every picture with every prompt.

    Args:
        images: pixels [n 3 H W] in -1..1, of the vision tower's own size.
        prompts: p short prompts, read as plain text, one chunk each.
    Returns:
        cosines [n p], float32.
    Source: Radford et al. 2021, the zero-shot classifier of CLIP.
    """
    place = folder().parent / "vision_tower"
    vision = CLIPVisionModelWithProjection.from_pretrained(place, dtype=torch.float32).eval()
    projection = load_file(place / "text_projection.safetensors")["text_projection.weight"]
    tower = load_tower("embedded")
    special = tower.special
    rows = []
    for ids in tower.tokenizer.encode_batch(list(prompts)):
        filled = [special.bos, *ids[: special.room], special.eos]
        rows.append(filled + [special.pad] * (special.context_length - len(filled)))
    input_ids = torch.tensor(rows)
    mask = torch.ones_like(input_ids)
    pooled = tower.encode(input_ids, mask, HiddenLayer(1, final_norm=True), pooled=True).pooled
    if pooled is None:
        raise RuntimeError("the embedded tower gave no pooled output")
    text = F.normalize(pooled.float() @ projection.float().T, dim=-1)
    return F.normalize(vision(images.float()).image_embeds, dim=-1) @ text.T
