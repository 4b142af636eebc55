"""Train the Chinese text tower against the frozen vision tower, whose embeddings are cached."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from transformers import CLIPModel

from clipcond.tokenizers.word_piece import chinese_tokenizer
from clipcond.towers.chinese_clip import ChineseTextEncoder
from clipcond.training.contrastive import bounded_scale, contrastive_loss

from . import models
from .clip_stage import family_rows, seen
from .loop import Losses, Now, Stage, train
from .pool import Records, known_chinese
from .render import Renderer, seeded
from .settings import Work
from .sprites import Sprites

N_PARTS = 4
AT_ONCE = 256  # pictures


def encode(tower: ChineseTextEncoder, ids: Tensor, pad: int) -> Tensor:
    """Ids [n L], padded -> projected [CLS] states [n P], in parts cut to their longest."""
    ids = ids.long()
    lengths = (ids != pad).sum(1)
    order = lengths.argsort()
    parts = []
    for rows in order.chunk(N_PARTS):
        some = ids[rows, : int(lengths[rows[-1]])]
        states = tower.text_model(input_ids=some, attention_mask=(some != pad).long())
        parts.append(tower.text_projection(states.last_hidden_state[:, 0]))
    return torch.cat(parts)[order.argsort()]


@torch.no_grad()
def image_embeddings(work: Work, clip: CLIPModel, renderer: Renderer, records: Records) -> Tensor:
    """What the vision tower says of a rendering of each record: [n P]."""
    parts = []
    for rows in torch.arange(len(records), device=work.device).split(AT_ONCE):
        generator = seeded(work.device, "chinese", work.seed, int(rows[0]))
        parts.append(seen(clip, renderer.draw(records.scenes[rows], generator)).half())
    return torch.cat(parts)


class TextContrast(nn.Module):
    """The tower and its temperature."""

    def __init__(self, tower: ChineseTextEncoder) -> None:
        super().__init__()
        self.tower = tower
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))


def chinese_stage(
    work: Work, sprites: Sprites, pool: dict[int, Records], clip: CLIPModel
) -> TextContrast:
    """Train the tower and its temperature, and keep the tower's weights in the runs."""
    torch.manual_seed(work.seed)
    tokenizer, records = chinese_tokenizer(), pool[1]
    pad = tokenizer.pad_token_id
    tower = models.chinese_tower(work.sizes, len(tokenizer), pad, known_chinese(pool))
    model = TextContrast(tower)
    clip.to(work.device).eval().requires_grad_(False)
    images = image_embeddings(work, clip, Renderer(sprites), records)

    def loss_of(contrast: nn.Module, now: Now) -> Losses:
        rows = family_rows(len(records), work.batches.chinese, now.generator)
        text = encode(contrast.tower, records.chinese[rows], pad)
        keys = records.chinese_key[rows]
        scale = bounded_scale(contrast.logit_scale)
        return {"loss": contrastive_loss(text.float(), images[rows].float(), keys, scale=scale)}

    train(Stage("chinese", work, ema=0.997, weight_decay=0.05), model, loss_of)
    torch.save(tower.state_dict(), work.runs / "chinese" / "final.pt")
    return model
