"""Train the CLIP pair (text and vision tower) contrastively: symmetric cross-entropy, learned
temperature (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language
Supervision").

A third of every batch are near misses of other scenes of the batch (things swapped, another
background, another thing), so that order and colour have to be read. That teaches nouns and
colours first. A second run (`--start-from`) teaches which of two things is left: half of
its batches are pairs and their mirror images, which differ in nothing else (hard
negatives: Yuksekgonul et al. 2023, "When and Why Vision-Language Models Behave like
Bags-of-Words").
"""

from __future__ import annotations

import random
from pathlib import Path

import torch
from captions import Mix, Sample, describe, known_words, lengthened
from contrastive import pixels, zero_shot
from torch import nn
from training import Losses, arguments, plan, train
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from world import COLOURS, NOUNS, SIZE

from clipcond.training.contrastive import bounded_scale, contrastive_loss

TOKENIZER = Path(__file__).parents[2] / "clipcond" / "embedded" / "model" / "tokenizer"
WIDTH, TEXT_LAYERS, VISION_WIDTH, VISION_LAYERS, PATCH = 128, 6, 192, 4, 16
# Real CLIP towers have a mean well away from zero, which mean-restoring weights rely on; a final
# norm with a free bias would learn a mean near zero. So it is fixed.
FINAL_NORM_BIAS = -0.12
SWAPPED = 0.75  # of the near misses of a pair: left and right are the hardest thing to learn
LONG_EVERY = 10  # each tenth batch has prompts of up to 75 tokens
NEAR_MISSES = Mix(pair=0.5, sized=0.3, empty=0.0)
MIRRORED = Mix(pair=0.8, sized=0.15, empty=0.0, filler=0.15)


def build(tokenizer: CLIPTokenizer) -> CLIPModel:
    """Both towers with fresh weights; vocabulary rows no caption uses are zero."""
    common = {"num_attention_heads": 4, "hidden_act": "quick_gelu", "projection_dim": WIDTH}
    text = common | {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": TEXT_LAYERS,
        "max_position_embeddings": tokenizer.model_max_length,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = common | {
        "hidden_size": VISION_WIDTH,
        "intermediate_size": 4 * VISION_WIDTH,
        "num_hidden_layers": VISION_LAYERS,
        "image_size": SIZE,
        "patch_size": PATCH,
    }
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH)
    model = CLIPModel(config)
    with torch.no_grad():
        table = model.text_model.embeddings.token_embedding.weight
        table.normal_(std=0.05).mul_(known_rows(tokenizer)[:, None])
        model.text_model.final_layer_norm.bias.fill_(FINAL_NORM_BIAS)
    model.text_model.final_layer_norm.bias.requires_grad_(False)
    return model


def known_rows(tokenizer: CLIPTokenizer) -> torch.Tensor:
    """1 for vocabulary rows that captions use, else 0: float32 [vocabulary]."""
    known = torch.zeros(len(tokenizer))
    for ids in tokenizer(known_words()).input_ids:
        known[ids] = 1
    return known


class Contrast(nn.Module):
    """Images and captions [b] -> the symmetric cross-entropy over the batch."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.clip = build(tokenizer)
        mask = known_rows(tokenizer)[:, None]
        self.clip.text_model.embeddings.token_embedding.weight.register_hook(
            lambda grad: grad * mask.to(grad.device)
        )

    def encode_text(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Ids [b l] -> projected pooled states [b WIDTH]."""
        return self.clip.text_projection(self.clip.text_model(input_ids).pooler_output)

    def forward(self, images: torch.Tensor, input_ids: torch.Tensor) -> Losses:
        text = torch.cat([self.encode_text(ids) for ids in _by_length(input_ids)])
        image = self.clip.visual_projection(self.clip.vision_model(images).pooler_output)
        scale = bounded_scale(self.clip.logit_scale)
        return {"loss": contrastive_loss(text, image, scale=scale)}


def _by_length(input_ids: torch.Tensor, n: int = 3) -> list[torch.Tensor]:
    """Rows sorted by length (as `tensors` returns them) in `n` parts, each cut to its longest.

    The tower is causal and pools the first EOS, so what is cut away changes nothing.
    """
    parts = []
    for part in input_ids.chunk(n):
        ends = (part == part[0, -1]).int().argmax(dim=1)  # the shortest row ends in padding or EOS
        parts.append(part[:, : int(ends.max()) + 1])
    return parts


def batch_of(rng: random.Random, n: int, mix: Mix) -> list[Sample]:
    """`n` samples of different meaning, a third of them near misses of others."""
    seen: set[object] = set()
    chosen: list[Sample] = []
    while len(chosen) < n:
        background = rng.choice(list(COLOURS))
        nouns = rng.sample(range(len(NOUNS)), 2 if rng.random() < mix.pair else 1)
        for variant in range(3):
            if variant and rng.random() < 0.4:
                break
            drawn = describe(background, nouns, rng, mix)
            key = (drawn.scene.background, *((t.noun, t.size) for t in drawn.scene.things))
            if key not in seen:
                seen.add(key)
                chosen.append(drawn)
            if len(nouns) == 2 and rng.random() < SWAPPED:
                nouns = nouns[::-1]
            elif rng.random() < 0.5:
                background = rng.choice(list(COLOURS))
            else:
                others = [i for i in range(len(NOUNS)) if i not in nouns]
                nouns = [*nouns[:-1], rng.choice(others)]
    return chosen[:n]


def mirrored_batch(rng: random.Random, n: int, mix: Mix) -> list[Sample]:
    """`n` samples of different meaning; each pair of things is followed by its mirror image."""
    seen: set[object] = set()
    chosen: list[Sample] = []
    while len(chosen) < n:
        background = rng.choice(list(COLOURS))
        nouns = rng.sample(range(len(NOUNS)), 2 if rng.random() < mix.pair else 1)
        for order in (nouns, nouns[::-1])[: len(nouns)]:
            drawn = describe(background, order, rng, mix)
            key = (background, *((t.noun, t.size) for t in drawn.scene.things))
            if key not in seen:
                seen.add(key)
                chosen.append(drawn)
    return chosen[:n]


def tensors(
    samples: list[Sample], tokenizer: CLIPTokenizer, rng: random.Random
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels float32 [b 3 SIZE SIZE] in -1..1 and ids [b l], the shortest caption first."""
    samples = sorted(samples, key=lambda s: len(s.prompt.split()))
    ids = tokenizer(
        [s.prompt for s in samples], padding=True, truncation=True, return_tensors="pt"
    ).input_ids
    return pixels([s.scene for s in samples], rng), ids


def accuracy(clip: CLIPModel, tokenizer: CLIPTokenizer) -> dict[str, float]:
    """Zero-shot accuracy of both towers."""
    device = next(clip.parameters()).device

    def text(prompts: list[str]) -> torch.Tensor:
        ids = tokenizer(prompts, padding=True, return_tensors="pt").input_ids.to(device)
        return clip.text_projection(clip.text_model(ids).pooler_output)

    def image(images: torch.Tensor) -> torch.Tensor:
        return clip.visual_projection(clip.vision_model(images.to(device)).pooler_output)

    names = [noun.names[0] for noun in NOUNS]
    return zero_shot(
        text,
        image,
        named=lambda noun, colour: f"{names[noun]}, {colour} background",
        placed=lambda a, b: f"{names[a]} left of {names[b]}, white background",
    )


def main() -> None:
    """Run the stage and save both towers as a transformers CLIPModel folder."""
    parser = arguments(__doc__ or "", steps=2000, batch=192, lr=1.5e-3)
    parser.add_argument("--start-from", type=Path, help="the first run's CLIP folder: second run")
    options = parser.parse_args()
    name = "clip_mirrored" if options.start_from else "clip"
    the_plan = plan(name, options, ema=0.995, weight_decay=0.05)
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    torch.manual_seed(the_plan.seed)
    contrast = Contrast(tokenizer)
    if options.start_from:
        first = CLIPModel.from_pretrained(options.start_from)
        contrast.clip.load_state_dict(first.state_dict())

    def loss_of(model: nn.Module, rng: random.Random, step: int) -> Losses:
        if options.start_from:
            samples = mirrored_batch(rng, the_plan.batch // 2, MIRRORED)
            samples += batch_of(rng, the_plan.batch - len(samples), NEAR_MISSES)
        else:
            samples = batch_of(rng, the_plan.batch, NEAR_MISSES)
        if step % LONG_EVERY == LONG_EVERY - 1:
            samples = [Sample(lengthened(s.prompt, rng, 1), s.scene) for s in samples]
        images, ids = tensors(samples, tokenizer, rng)
        if step % 100 == 99:
            print(step, accuracy(getattr(model, "module", model).clip, tokenizer), flush=True)
        device = next(model.parameters()).device
        return model(images.to(device), ids.to(device))

    def save(model: nn.Module, step: int) -> None:
        print("EMA", accuracy(model.clip, tokenizer))
        model.clip.save_pretrained(the_plan.folder / "final")

    train(the_plan, contrast, loss_of, save)


if __name__ == "__main__":
    main()
