"""The two small text models that the golden data was made with, built from their recipe.

L plays the encoder of SD1 and the first of SDXL, G SDXL's second (and SD2's). Weights come from
numpy's legacy generator, so they are the same on every machine; layer norms have random weights and
biases, or every mean would be zero and hide what mean-restoring rules do.
"""

from functools import lru_cache

import numpy as np
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from clipcond.embedded import folder
from clipcond.towers.openai_clip import OpenAIClipTower

WRAPPER = "text_model."

torch.set_num_threads(1)  # models this small gain nothing from threads that wait for each other


def fill(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Draw the weights in the order of their names, the wrapper's prefix left out."""
    state = model.state_dict()
    random = np.random.RandomState(seed)
    for name in sorted((n for n in state), key=lambda n: n.removeprefix(WRAPPER)):
        tensor = state[name]
        if tensor.is_floating_point():
            values = _values(name, random.standard_normal(tuple(tensor.shape)))
            state[name] = torch.from_numpy(values.astype(np.float32))
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


def _values(name: str, n: np.ndarray) -> np.ndarray:
    if "embedding" in name:
        return 0.5 * n
    if "norm" in name:
        return 1 + 0.1 * n if name.endswith("weight") else 0.1 + 0.05 * n
    if name.endswith("bias"):
        return 0.05 + 0.02 * n
    return n / np.sqrt(n.shape[1])


@lru_cache(maxsize=1)
def model_l() -> CLIPTextModel:
    """SD1's encoder and SDXL's first: 32 wide, 4 blocks, quick_gelu. Shared: do not change it."""
    config = _config(32, 64, 4, "quick_gelu", 32, pad=49407)
    return fill(CLIPTextModel(config), 20240)


@lru_cache(maxsize=1)
def model_g() -> CLIPTextModelWithProjection:
    """SDXL's second: 40 wide, 4 blocks, gelu, projection. Shared: do not change it."""
    config = _config(40, 80, 5, "gelu", 40, pad=0)
    return fill(CLIPTextModelWithProjection(config), 20241)


@lru_cache(maxsize=2)
def tokenizer(pad: str = "<|endoftext|>") -> CLIPTokenizer:
    """The ordinary CLIP BPE, padding with EOS (L) or `!` (G)."""
    return CLIPTokenizer.from_pretrained(str(folder() / "tokenizer"), pad_token=pad)


def tower_l() -> OpenAIClipTower:
    return OpenAIClipTower(model_l(), tokenizer(), name="L")


def tower_g() -> OpenAIClipTower:
    return OpenAIClipTower(model_g(), tokenizer("!"), name="G")


def _config(
    width: int, inner: int, heads: int, act: str, projection: int, pad: int
) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=inner,
        num_attention_heads=heads,
        num_hidden_layers=4,
        hidden_act=act,
        projection_dim=projection,
        layer_norm_eps=1e-5,
        max_position_embeddings=77,
        bos_token_id=49406,
        eos_token_id=49407,
        pad_token_id=pad,
    )
