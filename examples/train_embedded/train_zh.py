"""Train the Chinese text tower (ChineseCLIP's architecture: BERT, 21,128 WordPiece entries, 52
positions) contrastively against the frozen vision tower of the embedded model.

What the vision tower says of a scene never changes, so the scenes are drawn and encoded once, in
batches that are full of near misses and mirror images; every step puts one of
them into new words, in Chinese, Chinese with English words between, and now and then in English.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from pathlib import Path

import numpy as np
import torch
from captions import ENGLISH
from captions_zh import CHINESE, known_words
from contrastive import pixels, zero_shot
from export import half, write_config
from phrasing import Mix, Sample
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from train_clip import FINAL_NORM_BIAS, MIRRORED, NEAR_MISSES, batch_of, mirrored_batch
from training import Losses, arguments, plan, train
from transformers import (
    BertTokenizer,
    ChineseCLIPTextConfig,
    ChineseCLIPTextModel,
    CLIPVisionModelWithProjection,
)

from clipcond.tokenizers.word_piece import chinese_tokenizer
from clipcond.towers.chinese_clip import ChineseTextEncoder
from clipcond.training.contrastive import bounded_scale, contrastive_loss

EMBEDDED = Path(__file__).parents[2] / "clipcond" / "embedded"
VOCABULARY = EMBEDDED / "zh" / "tower" / "vocab.txt"
# As wide as what the UNet reads, so that the tower fits it unaligned too, for comparison.
WIDTH, LAYERS, HEADS, POSITIONS = 128, 6, 4, 52
LONG_EVERY = 10  # each tenth batch has prompts of up to 50 tokens
ENGLISH_SHARE = 0.12  # of the captions
SAID = Mix(filler=0.25, strange=0.06)  # sizes are the scenes' own
CONFIG_KEYS = (
    "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads hidden_act"
    " max_position_embeddings type_vocab_size layer_norm_eps pad_token_id hidden_dropout_prob"
    " attention_probs_dropout_prob"
).split()


def build(tokenizer: BertTokenizer, n_image: int) -> ChineseTextEncoder:
    """A fresh tower with a projection to `n_image`; rows of words no caption has are zero.

    BERT's blocks end with a norm, whose mean is near zero where its bias is free; A1111's weights
    restore a chunk's mean, so the biases are fixed, as that of the English tower's final norm is.
    """
    config = ChineseCLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        hidden_act="gelu",
        max_position_embeddings=POSITIONS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = ChineseCLIPTextModel(config, add_pooling_layer=False)
    with torch.no_grad():
        table = model.embeddings.word_embeddings.weight
        table.normal_(std=0.05).mul_(known_rows(tokenizer)[:, None])
        for block in model.encoder.layer:
            block.output.LayerNorm.bias.fill_(FINAL_NORM_BIAS).requires_grad_(False)
    return ChineseTextEncoder(model, nn.Linear(WIDTH, n_image, bias=False))


def known_rows(tokenizer: BertTokenizer) -> Tensor:
    """1 for vocabulary rows that captions use, else 0: float32 [vocabulary]."""
    known = torch.zeros(len(tokenizer))
    for ids in tokenizer(known_words()).input_ids:
        known[ids] = 1
    known[[tokenizer.unk_token_id, tokenizer.pad_token_id]] = 0  # the one is learned as nothing
    return known


class TextContrast(nn.Module):
    """Captions and cached image embeddings [b P] -> the symmetric cross-entropy."""

    def __init__(self, tokenizer: BertTokenizer, n_image: int) -> None:
        super().__init__()
        self.tower = build(tokenizer, n_image)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        mask = known_rows(tokenizer)[:, None]
        self.tower.text_model.embeddings.word_embeddings.weight.register_hook(
            lambda grad: grad * mask.to(grad.device)
        )

    def forward(self, images: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Losses:
        text = encode(self.tower, input_ids, attention_mask)
        scale = bounded_scale(self.logit_scale)
        return {"loss": contrastive_loss(text, images, scale=scale)}


def encode(tower: ChineseTextEncoder, input_ids: Tensor, mask: Tensor, n_parts: int = 6) -> Tensor:
    """Ids and mask [b l], the shortest first -> projected [CLS] states [b P].

    In parts, each cut to its longest: what is cut away is masked anyway.
    """
    parts = []
    for ids, seen in zip(input_ids.chunk(n_parts), mask.chunk(n_parts), strict=True):
        n = int(seen.sum(dim=1).max())
        states = tower.text_model(input_ids=ids[:, :n], attention_mask=seen[:, :n])
        parts.append(tower.text_projection(states.last_hidden_state[:, 0]))
    return torch.cat(parts)


def scene_batches(n: int, size: int) -> list[list[Sample]]:
    """`n` batches of scenes: half of each are pairs and their mirror images, half near misses.

    Every third has none of the mirror images: that teaches nouns and colours.
    """
    batches = []
    for i in range(n):
        rng = random.Random(f"zh scenes {i}")
        samples = mirrored_batch(rng, size // 2, MIRRORED) if i % 3 else []
        batches.append(samples + batch_of(rng, size - len(samples), NEAR_MISSES))
    return batches


def image_embeddings(
    batches: list[list[Sample]], vision: CLIPVisionModelWithProjection, cache: Path
) -> Tensor:
    """What the frozen tower says of every scene: float32 [n b P], kept in a file."""
    state = vision.visual_projection.weight.detach().numpy().tobytes()
    size = f"{len(batches)}x{len(batches[0])}"
    path = cache / f"images-{size}-{hashlib.sha256(state).hexdigest()[:12]}.npy"
    if not path.exists():
        rng = random.Random("zh pixels")
        rows = []
        with torch.no_grad():
            for batch in track(batches, "image embeddings"):
                seen = vision(pixels([sample.scene for sample in batch], rng)).image_embeds
                rows.append(F.normalize(seen, dim=-1).half().numpy())
        cache.mkdir(parents=True, exist_ok=True)
        np.save(path, np.stack(rows))
    return torch.from_numpy(np.load(path)).float()


def caption(sample: Sample, rng: random.Random, *, is_long: bool) -> str:
    """Draw new words for the scene of a sample."""
    language = ENGLISH if rng.random() < ENGLISH_SHARE else CHINESE
    nouns = [thing.noun for thing in sample.scene.things]
    text = language.describe(sample.scene.background, nouns, rng, SAID, said=sample.said).prompt
    return CHINESE.lengthened(text, rng, 1) if is_long else text


def tensors(prompts: list[str], tokenizer: BertTokenizer) -> tuple[Tensor, Tensor, list[int]]:
    """Ids and mask [b l], the shortest prompt first, and which prompt each row is."""
    encoded = tokenizer(prompts, padding=True, truncation=True, max_length=POSITIONS)
    mask = torch.tensor(encoded.attention_mask)
    order = mask.sum(dim=1).argsort(stable=True)
    return torch.tensor(encoded.input_ids)[order], mask[order], order.tolist()


def accuracy(
    tower: ChineseTextEncoder, vision: CLIPVisionModelWithProjection, tokenizer: BertTokenizer
) -> dict[str, float]:
    """Measure the tower's zero-shot accuracy with the vision tower."""
    device = next(tower.parameters()).device

    def text(prompts: list[str]) -> Tensor:
        ids, mask, order = tensors(prompts, tokenizer)
        rows = encode(tower, ids.to(device), mask.to(device)).cpu()
        return rows[torch.tensor(order).argsort()]

    names = [names[0] for names in CHINESE.names]
    return zero_shot(
        text,
        lambda images: vision(images).image_embeds,
        named=lambda noun, colour: f"{names[noun]}，{CHINESE.colours[colour][0]}背景",
        placed=lambda a, b: f"{names[a]}在{names[b]}左边，白色背景",
    )


def save_tower(tower: ChineseTextEncoder, tokenizer: BertTokenizer, folder: Path) -> None:
    """A folder that transformers, from 5.0 on, and `load_tower` open: safetensors, float16."""
    name, kind = "ChineseCLIPTextModel", "chinese_clip_text_model"
    write_config(folder, tower.config, CONFIG_KEYS, name, kind)
    state = half(tower.text_model.state_dict())
    state["embeddings.word_embeddings.weight"] *= known_rows(tokenizer)[:, None].half()
    state["text_projection.weight"] = tower.text_projection.weight.detach().half()
    path = folder / "model.safetensors"
    save_file(state, path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors writes files that only their owner can read
    (folder / "vocab.txt").write_bytes(VOCABULARY.read_bytes())
    entries = {
        "do_lower_case": True,
        "model_max_length": POSITIONS,
        "tokenizer_class": "BertTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(entries, indent=2) + "\n")


def main() -> None:
    """Run the stage and save the tower's folder."""
    parser = arguments(__doc__ or "", steps=2000, batch=192, lr=1e-3)
    parser.add_argument("--scenes", type=int, default=400, metavar="BATCHES", help="cached scenes")
    parser.add_argument("--vision", type=Path, default=EMBEDDED / "vision_tower")
    parser.add_argument("--out", type=Path, help="where the tower goes (default: runs/zh/tower)")
    options = parser.parse_args()
    the_plan = plan("zh", options, ema=0.995, weight_decay=0.05)
    tokenizer = chinese_tokenizer()
    torch.manual_seed(the_plan.seed)
    vision = CLIPVisionModelWithProjection.from_pretrained(options.vision, dtype=torch.float32)
    vision.eval().requires_grad_(False)
    batches = scene_batches(options.scenes, the_plan.batch)
    images = image_embeddings(batches, vision, the_plan.folder)

    def loss_of(model: nn.Module, rng: random.Random, step: int) -> Losses:
        i = rng.randrange(len(batches))
        is_long = step % LONG_EVERY == LONG_EVERY - 1
        prompts = [caption(sample, rng, is_long=is_long) for sample in batches[i]]
        ids, mask, order = tensors(prompts, tokenizer)
        if step % 200 == 199:
            tower = getattr(model, "module", model).tower
            print(step, accuracy(tower, vision, tokenizer), flush=True)
        device = next(model.parameters()).device
        return model(images[i][order].to(device), ids.to(device), mask.to(device))

    def save(model: nn.Module, step: int) -> None:
        print("EMA", accuracy(model.tower, vision, tokenizer))
        save_tower(model.tower.cpu(), tokenizer, options.out or the_plan.folder / "tower")

    train(the_plan, TextContrast(tokenizer, images.shape[-1]), loss_of, save)


if __name__ == "__main__":
    main()
