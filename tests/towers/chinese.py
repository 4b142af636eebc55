"""Small ChineseCLIP models that tests of several files use."""

from functools import lru_cache

import torch
from transformers import (
    ChineseCLIPConfig,
    ChineseCLIPModel,
    ChineseCLIPTextConfig,
    ChineseCLIPTextModel,
)

from clipcond.tokenizers.word_piece import chinese_tokenizer
from clipcond.towers import ChineseClipTower
from clipcond.towers.chinese_clip import ChineseTextEncoder
from tests.data.make_chinese_clip import drawn

torch.set_num_threads(1)

TEXT = {
    "vocab_size": 21128,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
    "hidden_act": "gelu",
}
VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 8,
}


def with_weights(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """The model with drawn weights: layer norms too, or every mean would be zero."""
    state = model.state_dict()
    shapes = {k: tuple(t.shape) for k, t in state.items() if t.is_floating_point()}
    state.update({k: torch.from_numpy(v) for k, v in drawn(shapes, seed).items()})
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def text_model() -> ChineseCLIPTextModel:
    """The text model alone, with the tanh pooler that transformers makes up. Do not change it."""
    return with_weights(ChineseCLIPTextModel(ChineseCLIPTextConfig(**TEXT)), 11)


@lru_cache(maxsize=1)
def whole_model() -> ChineseCLIPModel:
    """Both halves, embeddings 24 wide. Shared: do not change it."""
    config = ChineseCLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=24)
    return with_weights(ChineseCLIPModel(config), 12)


@lru_cache(maxsize=1)
def tokenizer():
    return chinese_tokenizer()


def tower_zh(**choices) -> ChineseClipTower:
    return ChineseClipTower(whole_model(), tokenizer(), name="zh", **choices)


def half() -> ChineseTextEncoder:
    return ChineseTextEncoder(whole_model().text_model, whole_model().text_projection)


def rows(length: int = 52) -> tuple[torch.Tensor, torch.Tensor]:
    """Chunks [4 L] and their masks: text of 0 and more tokens, the last as long as fits."""
    random = torch.Generator().manual_seed(1)
    ids = torch.randint(106, 21128, (4, length), generator=random)
    for i, row in enumerate(ids):
        end = length - 1 if i == 3 else 1 + 7 * i
        row[end], row[end + 1 :] = 102, 0
    ids[:, 0] = 101
    return ids, (ids != 0).long()


MODELS = {"whole": whole_model, "text": text_model, "half": half}
