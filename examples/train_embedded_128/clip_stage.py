"""Train both towers of the CLIP pair contrastively, on pictures spoilt in many ways.

Batches are families: a scene and three near it, so that place, number and colour have to be read.
Crops, colours, blur, compression, noise and uneven stretching keep the vision tower from knowing
artists by their strokes; nothing is mirrored, for left and right are words.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPModel, CLIPTokenizer

from clipcond.training.contrastive import bounded_scale, contrastive_loss

from . import models
from .first_edition import TOKENIZER
from .loop import Losses, Now, Stage, train
from .pool import FAMILY, Records, known_rows
from .render import Renderer
from .settings import Work
from .sprites import Sprites
from .zero_shot import zero_shot

N_PARTS = 4  # of a batch, each cut to its longest prompt
SPOILT = 0.7  # of the pictures
PATCHES = 0.3  # of these: a grey patch, too


def spoil(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures [n 3 H W] in -1..1, most of them stretched, recoloured, blurred, noisy."""
    n, device = len(images), images.device

    def drawn(*shape: int) -> Tensor:
        return torch.rand(n, *shape, generator=generator, device=device)

    chosen = (drawn() < SPOILT).float().view(-1, 1, 1, 1)
    zoom = 0.86 + 0.22 * drawn(2)
    turn, shear = (drawn() - 0.5) * 0.25, (drawn() - 0.5) * 0.3
    shift = (drawn(2) - 0.5) * 0.12
    across = [turn.cos() * zoom[:, 0], -turn.sin() + shear, shift[:, 0]]
    down = [turn.sin(), turn.cos() * zoom[:, 1], shift[:, 1]]
    theta = torch.stack([*across, *down], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    made = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    made = made * (0.75 + 0.5 * drawn(1, 1, 1)) + 0.3 * (drawn(1, 1, 1) - 0.5)
    gray = made.mean(1, keepdim=True)
    made = gray + (made - gray) * (0.5 + drawn(1, 1, 1)) + 0.12 * (drawn(3, 1, 1) - 0.5)
    made = _blurred(made, drawn(1, 1, 1) * 1.2)
    made = _compressed(made, drawn(1, 1, 1))
    grain = torch.randn(images.shape, generator=generator, device=device)
    made = made + grain * 0.08 * drawn(1, 1, 1)
    made = _patched(made, drawn(4), drawn() < PATCHES)
    return (images + (made - images) * chosen).clamp(-1, 1)


def _blurred(images: Tensor, amount: Tensor) -> Tensor:
    """Blur (up to 1) or sharpen (beyond 1, which thickens outlines) by an amount of each."""
    soft = F.avg_pool2d(F.pad(images, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    return torch.where(amount < 1, images + (soft - images) * amount, 2 * images - soft)


def _compressed(images: Tensor, amount: Tensor) -> Tensor:
    """Round the cosine transform of 8 x 8 blocks, as JPEG does, of about half of the pictures."""
    n, c, h, w = images.shape
    at = torch.arange(8, device=images.device, dtype=torch.float32)
    basis = torch.cos(math.pi / 8 * (at + 0.5) * at[:, None]) * 0.5
    basis[0] = basis[0] / math.sqrt(2)
    blocks = images.float().view(n, c, h // 8, 8, w // 8, 8).permute(0, 1, 2, 4, 3, 5)
    step = (0.02 + 0.25 * amount[..., None, None]) * (1 + (at + at[:, None]) / 4)
    found = torch.round(basis @ blocks @ basis.T / step) * step
    made = (basis.T @ found @ basis).permute(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)
    return torch.where(amount < 0.5, images, made)


def _patched(images: Tensor, where: Tensor, chosen: Tensor) -> Tensor:
    at = torch.linspace(0, 1, images.shape[-1], device=images.device)
    side = 0.08 + 0.2 * where[:, 2:3]
    inside = [(at - where[:, i : i + 1]).abs() < side / 2 for i in (0, 1)]
    patch = inside[1][:, :, None] & inside[0][:, None, :] & chosen[:, None, None]
    return images.masked_fill(patch[:, None], 0.0)


def pooled(clip: CLIPModel, ids: Tensor, *, project: bool = True) -> Tensor:
    """Projected text embeddings of ids [n L], in parts cut to their longest: [n P].

    The tower is causal and pools the first EOS, so what is cut away changes nothing.
    """
    ids = ids.long()
    ends = (ids == clip.config.text_config.eos_token_id).int().argmax(1)
    order = ends.argsort()
    limits = ends[order]
    parts = []
    for rows, end in zip(order.chunk(N_PARTS), limits.chunk(N_PARTS), strict=True):
        length = int(end[-1]) + 1
        states = clip.text_model(ids[rows, :length]).pooler_output
        parts.append(clip.text_projection(states) if project else states)
    return torch.cat(parts)[order.argsort()]


def seen(clip: CLIPModel, images: Tensor) -> Tensor:
    """Projected image embeddings of pictures [n 3 SIZE SIZE] in -1..1: [n P]."""
    return clip.visual_projection(clip.vision_model(images).pooler_output)


def family_rows(n_records: int, n: int, generator: torch.Generator) -> Tensor:
    """Rows of whole families, `n` in all."""
    device = generator.device
    first = torch.randint(
        n_records // FAMILY, (max(1, n // FAMILY),), generator=generator, device=device
    )
    return (first[:, None] * FAMILY + torch.arange(FAMILY, device=device)).flatten()


def clip_stage(work: Work, sprites: Sprites, pool: dict[int, Records]) -> CLIPModel:
    """Train and save both towers; print their zero-shot accuracy by artist."""
    torch.manual_seed(work.seed)
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    model = models.clip(work.sizes, tokenizer, known_rows(pool))
    if "clip" in work.compiled:
        model.vision_model.compile(dynamic=False)
    renderer, records = Renderer(sprites), pool[1]

    def loss_of(clip: nn.Module, now: Now) -> Losses:
        generator = now.generator
        rows = family_rows(len(records), work.batches.clip, generator)
        images = spoil(renderer.draw(records.scenes[rows], generator), generator)
        text, image = pooled(clip, records.ids[rows, 0]), seen(clip, images)
        keys, scale = records.key[rows], bounded_scale(clip.logit_scale)
        return {"loss": contrastive_loss(text.float(), image.float(), keys, scale=scale)}

    train(Stage("clip", work, ema=0.997, weight_decay=0.05), model, loss_of)
    model.save_pretrained(work.runs / "clip" / "final")
    print(f"clip zero-shot: {zero_shot(model, tokenizer, sprites, work.device)}", flush=True)
    return model
