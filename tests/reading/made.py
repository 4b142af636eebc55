"""Small whole models of every family, saved as transformers saves them, and pictures."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing
from transformers import (
    AltCLIPConfig,
    AltCLIPModel,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    CLIPConfig,
    CLIPModel,
    MetaClip2Config,
    MetaClip2Model,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)

from clipcond.tokenizers.clip_bpe import shipped_clip
from clipcond.tokenizers.word_piece import chinese_tokenizer
from tests.towers import alt, chinese
from tests.towers.chinese import with_weights

# transformers up to 5.0 names those that compute with PIL without the ending
CLIPImageProcessorPil, ChineseCLIPImageProcessorPil, SiglipImageProcessorPil = (
    getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    for name in ("CLIPImageProcessor", "ChineseCLIPImageProcessor", "SiglipImageProcessor")
)
VISION = {
    "hidden_size": 64,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "image_size": 32,
    "patch_size": 8,
}
CLIP_TEXT = {
    "vocab_size": 49408,
    "hidden_size": 64,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "max_position_embeddings": 77,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "pad_token_id": 49407,
}
P = 24


@lru_cache(maxsize=1)
def clip() -> CLIPModel:
    config = CLIPConfig(text_config=CLIP_TEXT, vision_config=VISION, projection_dim=P)
    return with_weights(CLIPModel(config), 31)


@lru_cache(maxsize=1)
def chinese_clip() -> ChineseCLIPModel:
    text = {**chinese.TEXT, "hidden_size": 64, "num_attention_heads": 1, "num_hidden_layers": 2}
    config = ChineseCLIPConfig(text_config=text, vision_config=VISION, projection_dim=P)
    return with_weights(ChineseCLIPModel(config), 32)


@lru_cache(maxsize=1)
def alt_clip() -> AltCLIPModel:
    config = AltCLIPConfig(text_config=alt.TEXT, vision_config=VISION, projection_dim=P)
    return alt._drawn(AltCLIPModel(config), 33)


@lru_cache(maxsize=1)
def meta_clip_2() -> MetaClip2Model:
    text = {**CLIP_TEXT, "vocab_size": 200, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    config = MetaClip2Config(text_config=text, vision_config=VISION, projection_dim=P)
    return with_weights(MetaClip2Model(config), 34)


@lru_cache(maxsize=1)
def siglip() -> SiglipModel:
    text = {**CLIP_TEXT, "vocab_size": 60, "max_position_embeddings": 64, "projection_size": 64}
    text |= {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 1}
    return with_weights(SiglipModel(SiglipConfig(text_config=text, vision_config=VISION)), 35)


@lru_cache(maxsize=1)
def siglip_tokenizer() -> PreTrainedTokenizerFast:
    """Words of lower case behind SentencePiece's mark; EOS is added, and is the padding too."""
    words = "a photo of the two dogs cat red house on left , .".split()
    entries = ["<unk>", "</s>", *(alt.WORD + word for word in words), *"abcdefghijklmnop"]
    made = Tokenizer(Unigram([(entry, -1.0 * (len(entry) < 2)) for entry in entries], 0, False))
    made.pre_tokenizer = Metaspace()
    made.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    special = {"unk_token": "<unk>", "eos_token": "</s>", "pad_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, **special)


# How to make a model and its tokenizer.
FAMILIES: dict[str, tuple[Callable[[], torch.nn.Module], Callable[[], object]]] = {
    "clip": (clip, shipped_clip),
    "chinese_clip": (chinese_clip, chinese_tokenizer),
    "altclip": (alt_clip, alt.tokenizer),
    "metaclip_2": (meta_clip_2, alt.tokenizer),
    "siglip": (siglip, siglip_tokenizer),
}
TEXTS = {
    "clip": ["a photo of a cat", "", "two red dogs, on the left of a house."],
    "chinese_clip": ["一只猫", "", "红色背景上的两只狗，cat"],
    "metaclip_2": ["a photo of a cat", "", "一只红色的狗"],
    "siglip": ["a photo of a cat", "", "two red dogs, on the left of a house."],
    "altclip": ["a photo of a cat", "", "一只红色的狗"],
}


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth colours and some noise: what an interpolation treats in its own way."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    noise = random.integers(-20, 21, (height, width, 3))
    return Image.fromarray((np.asarray(image).astype(int) + noise).clip(0, 255).astype(np.uint8))


SIZES = [(90, 41), (33, 64), (32, 32), (7, 5), (120, 121), (47, 300)]


def pictures_at(place: Path) -> list[Path]:
    """Files of several shapes, larger and smaller than what a tower reads."""
    paths = [place / f"{width}x{height}.png" for width, height in SIZES]
    for seed, (path, size) in enumerate(zip(paths, SIZES, strict=True)):
        picture(*size, seed).save(path)
    return paths


def in_open_clip_layout(model: CLIPModel, *, text: bool = True) -> dict[str, torch.Tensor]:
    """A whole CLIP's tensors as OpenAI and open_clip name them; the text half too if wanted."""
    state = {k: t.detach().clone() for k, t in model.state_dict().items()}
    found = {"logit_scale": state["logit_scale"]}
    halves = {"vision_model.": "visual."} | ({"text_model.": ""} if text else {})
    parts = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc"}
    parts |= {"mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}
    for theirs, ours in halves.items():
        for i in range(2):
            block, own = f"{theirs}encoder.layers.{i}.", f"{ours}transformer.resblocks.{i}."
            for kind in ("weight", "bias"):
                heads = [state[f"{block}self_attn.{x}_proj.{kind}"] for x in "qkv"]
                found[f"{own}attn.in_proj_{kind}"] = torch.cat(heads)
                for a, b in parts.items():
                    found[f"{own}{b}.{kind}"] = state[f"{block}{a}.{kind}"]
    tables = {
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    }
    norms = {"visual.ln_pre": "vision_model.pre_layrnorm"}
    norms["visual.ln_post"] = "vision_model.post_layernorm"
    if text:
        tables["token_embedding.weight"] = "text_model.embeddings.token_embedding.weight"
        tables["positional_embedding"] = "text_model.embeddings.position_embedding.weight"
        norms["ln_final"] = "text_model.final_layer_norm"
        found["text_projection"] = state["text_projection.weight"].T.contiguous()
    found |= {ours: state[theirs] for ours, theirs in tables.items()}
    for ours, theirs in norms.items():
        found |= {f"{ours}.{kind}": state[f"{theirs}.{kind}"] for kind in ("weight", "bias")}
    found["visual.proj"] = state["visual_projection.weight"].T.contiguous()
    return found
