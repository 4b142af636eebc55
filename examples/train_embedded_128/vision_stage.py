"""Train the vision tower on, and both projections, until every noun is told from all others.

In the batches of `clip_stage` a picture meets some fifty nouns, most of them as families of near
misses; here it meets all, as the prompts by which they are asked for, and pictures are spoilt in
more ways. The text tower stays as the UNet reads it (Zhai et al. 2022, "LiT"), so that both stages
can run side by side, and its states are computed once; only what projects them goes on. Most steps
leave out part of the patches (Li et al. 2023, "Scaling Language-Image Pre-training via Masking"):
they cost less.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPModel, CLIPTokenizer

from clipcond.training.contrastive import bounded_scale, contrastive_loss

from .clip_stage import family_rows, pooled, spoil
from .first_edition import TOKENIZER
from .loop import Losses, Now, Stage, train
from .nouns import NOUNS
from .pool import Records
from .render import Renderer, Scenes
from .settings import Work
from .sprites import Sprites
from .zero_shot import zero_shot

KEPT = 0.75  # of the patches
WHOLE_FROM = 0.8  # of the steps: then all of them
NOUNS_WEIGHT = 1.0  # of the loss of nouns next to that of captions
WARPED = 0.3  # of the pictures: bent here and there
BENT = 0.14  # of half a side, at most
FEW = 0.2  # of the pictures: few levels of each colour, as flat drawings have
AT_ONCE = 256  # captions
TEMPLATES = ("{}", "a {}", "one {}", "{} emoji", "a picture of a {}", "a photo of a {}")


@torch.no_grad()
def text_states(clip: CLIPModel, ids: Tensor) -> Tensor:
    """Pooled states of prompts [n L], before their projection: [n D]."""
    return torch.cat([pooled(clip, part, project=False) for part in ids.split(AT_ONCE)])


def class_states(clip: CLIPModel, device: str) -> Tensor:
    """The same of the prompts by which nouns are asked for: [templates nouns D]."""
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    rows = []
    for template in TEMPLATES:
        texts = [template.format(noun.names[0]) for noun in NOUNS]
        ids = tokenizer(texts, padding="max_length", return_tensors="pt").input_ids
        rows.append(text_states(clip, ids.to(device)))
    return torch.stack(rows)


def lone_nouns(scenes: Scenes) -> Tensor:
    """The noun of each scene that shows one kind of thing alone; -1 of others: int64 [n]."""
    first = scenes.noun[:, :1]
    alone = ((scenes.noun == first) | (scenes.noun < 0)).all(1)
    return torch.where(alone, first[:, 0], -1)


def spoil_more(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures [n 3 H W] in -1..1, some bent, some with few levels, and spoilt as CLIP's are."""
    n, device = len(images), images.device
    chance = torch.rand(n, 3, generator=generator, device=device)
    bent = (chance[:, 0] < WARPED).nonzero()[:, 0]
    if len(bent):
        moved = torch.rand(len(bent), 2, 5, 5, generator=generator, device=device) * 2 - 1
        moved = F.interpolate(moved, images.shape[-2:], mode="bicubic", align_corners=True) * BENT
        same = torch.eye(2, 3, device=device).expand(len(bent), 2, 3)
        grid = F.affine_grid(same, list(images[bent].shape), align_corners=False)
        grid = grid + moved.permute(0, 2, 3, 1)
        images = images.index_copy(
            0, bent, F.grid_sample(images[bent], grid, padding_mode="border", align_corners=False)
        )
    levels = 1 + (3 * chance[:, 2]).floor().view(-1, 1, 1, 1)
    few = (images * levels).round() / levels
    images = torch.where((chance[:, 1] < FEW).view(-1, 1, 1, 1), few, images)
    return spoil(images, generator)


def seen_in_part(clip: CLIPModel, images: Tensor, generator: torch.Generator | None) -> Tensor:
    """Projected image embeddings from KEPT of the patches; from all without a generator: [n P]."""
    vision = clip.vision_model
    hidden = vision.embeddings(images)
    if generator is not None:
        n, length = hidden.shape[:2]
        order = torch.rand(n, length - 1, generator=generator, device=images.device).argsort(1)
        kept = order[:, : int(KEPT * (length - 1)), None] + 1
        first = torch.zeros_like(kept[:, :1])  # [CLS]
        rows = torch.cat([first, kept], dim=1).expand(-1, -1, hidden.shape[2])
        hidden = hidden.gather(1, rows)
    states = vision.encoder(inputs_embeds=vision.pre_layrnorm(hidden)).last_hidden_state
    return clip.visual_projection(vision.post_layernorm(states[:, 0]))


class Trained(nn.Module):
    """What is trained: the vision tower, both projections and the temperature."""

    def __init__(self, clip: CLIPModel) -> None:
        super().__init__()
        self.vision_model, self.visual_projection = clip.vision_model, clip.visual_projection
        self.text_projection, self.logit_scale = clip.text_projection, clip.logit_scale


def vision_stage(
    work: Work, sprites: Sprites, pool: dict[int, Records], clip: CLIPModel
) -> CLIPModel:
    """Train and save the pair; print its zero-shot accuracy by artist."""
    torch.manual_seed(work.seed)
    clip.to(work.device).eval()
    records = pool[1]
    texts, classes = text_states(clip, records.ids[:, 0]), class_states(clip, work.device)
    renderer = Renderer(sprites, wander=True)

    def loss_of(pair: nn.Module, now: Now) -> Losses:
        generator = now.generator
        rows = family_rows(len(records), work.batches.vision, generator)
        scenes = records.scenes[rows]
        images = spoil_more(renderer.draw(scenes, generator), generator)
        seen = seen_in_part(pair, images, generator if now.done < WHOLE_FROM else None).float()
        scale, text = bounded_scale(pair.logit_scale), pair.text_projection(texts[rows]).float()
        captions = contrastive_loss(text, seen, records.key[rows], scale=scale)
        which = torch.randint(len(classes), (1,), generator=generator, device=work.device)
        named = F.normalize(pair.text_projection(classes[which[0]]).float(), dim=-1)
        logits = scale * F.normalize(seen, dim=-1) @ named.T
        labels = lone_nouns(scenes)
        total = F.cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
        nouns = total / (labels >= 0).sum().clamp(min=1)  # a small batch may have none
        return {"captions": captions, "nouns": NOUNS_WEIGHT * nouns}

    train(Stage("vision", work, ema=0.997, weight_decay=0.05), Trained(clip), loss_of)
    clip.save_pretrained(work.runs / "vision" / "final")
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    print(f"vision: {zero_shot(clip, tokenizer, sprites, work.device)}", flush=True)
    return clip
