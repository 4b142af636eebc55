"""Small AltCLIP models and a small SentencePiece vocabulary that tests of several files use."""

from functools import lru_cache

import torch
from tokenizers.normalizers import NFKC
from transformers import (
    AltCLIPConfig,
    AltCLIPModel,
    AltCLIPTextConfig,
    AltCLIPTextModel,
    XLMRobertaTokenizer,
)

from clipcond.towers import AltClipTower
from clipcond.towers.text_encoder import TextEncoder
from tests.towers.chinese import VISION, with_weights

WORD = "\u2581"
WORDS = (
    "a photo of red blue green white cat dog bird fish horse cow fox on the mat best quality "
    "一只 红色 蓝色 绿色 白色 红色的 蓝色的 绿色的 白色的 猫 狗 鸟 鱼 马 牛 和 在 的 背景 模糊"
).split()
SIGNS = ", . ! ? ; : ( ) [ ] ， 、 。 ！ ？".split()
TEXT = {
    "vocab_size": 200,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "max_position_embeddings": 130,  # 128 positions: none is used up to that of padding, 1
    "project_dim": 24,
}


def entries() -> list[tuple[str, float]]:
    """Words with the mark and without, signs and characters; the longest are the likeliest."""
    first = ["<s>", "<pad>", "</s>", "<unk>"]
    letters = sorted({c for word in WORDS for c in word})
    pieces = dict.fromkeys([WORD, *(WORD + w for w in WORDS), *WORDS, *SIGNS, *letters])
    scored = [(piece, -10.0 / len(piece) - 0.001 * i) for i, piece in enumerate(pieces)]
    return [*((token, 0.0) for token in first), *scored, ("<mask>", 0.0)]


@lru_cache(maxsize=1)
def tokenizer() -> XLMRobertaTokenizer:
    """XLM-RoBERTa's with few entries; full-width letters and signs become ASCII, as there."""
    made = XLMRobertaTokenizer(vocab=entries())
    made.backend_tokenizer.normalizer = NFKC()
    return made


def _drawn(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    with_weights(model, seed)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "pre_LN" in name:  # of a mean away from zero, as of all other norms
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_((1 if name.endswith("weight") else 0.1) + 0.1 * noise)
        if "word_embeddings" in name or "position_embeddings" in name:
            parameter[1] = 0  # padding's
    return model


@lru_cache(maxsize=1)
def text_model() -> AltCLIPTextModel:
    """The text model alone. Shared: do not change it."""
    return _drawn(AltCLIPTextModel(AltCLIPTextConfig(**TEXT)), 21)


@lru_cache(maxsize=1)
def whole_model() -> AltCLIPModel:
    """Both halves, embeddings 20 wide. Shared: do not change it."""
    config = AltCLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=20)
    return _drawn(AltCLIPModel(config), 22)


def tower_alt(**choices) -> AltClipTower:
    return AltClipTower(whole_model(), tokenizer(), name="alt", **choices)


def rows(length: int = 77) -> tuple[torch.Tensor, torch.Tensor]:
    """Chunks [4 L] and their masks: text of 0 and more tokens, the last as long as fits."""
    random = torch.Generator().manual_seed(1)
    ids = torch.randint(4, len(tokenizer()) - 1, (4, length), generator=random)
    for i, row in enumerate(ids):
        end = length - 1 if i == 3 else 1 + 7 * i
        row[end], row[end + 1 :] = 2, 1
    ids[:, 0] = 0
    return ids, (ids != 1).long()


def half() -> TextEncoder:
    return TextEncoder(whole_model().text_model, whole_model().text_projection)


MODELS = {"whole": whole_model, "text": text_model, "half": half}
