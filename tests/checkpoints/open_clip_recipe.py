"""Weights of small open_clip models, drawn from a seed: the golden data and the tests share them.

Nothing is stored. numpy's legacy generator gives the same numbers on every machine; layer norms get
random weights and biases, so that no mean is zero.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

VOCABULARY, CONTEXT = 49408, 77
NEGATIVE = "blurry, low quality &amp; “noisy”"
POSITIVE = "A photograph of an astronaut riding a horse"
# no comma, so that every dialect cuts it after 75 tokens
NOUNS = (
    "cat dog house tree river bridge lamp chair table window door road hill lake boat train car "
    "ship plane bird fish horse cow sheep goat"
)
LONG = " ".join(f"{a} {noun}" for a in "red big old new".split() for noun in NOUNS.split())


@dataclass(frozen=True)
class Case:
    """One small model: heads are 64 wide, `prefix` is "" (flat) or "text."."""

    prefix: str
    width: int
    embed: int
    quick_gelu: bool
    seed: int
    layers: int = 3

    @property
    def heads(self) -> int:
        return self.width // 64


OPEN_CLIP = {
    "flat": Case("", 128, 128, False, 1),
    "flat-quickgelu": Case("", 128, 64, True, 2),
    "custom-text": Case("text.", 128, 128, False, 3),
    "custom-text-quickgelu": Case("text.", 64, 128, True, 4),
}
# Proportions of EVA01-g (768 to 1024), EVA02-L (768 to 768) and EVA02-E-plus (1280 to 1024).
EVA = {
    "eva01-g": Case("text.", 64, 96, False, 11),
    "eva02-l": Case("text.", 64, 64, False, 12),
    "eva02-e-plus": Case("text.", 128, 96, False, 13),
}


def shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """Every tensor of the text half, in open_clip's layout."""
    width, inner = case.width, 4 * case.width
    found: dict[str, tuple[int, ...]] = {
        "token_embedding.weight": (VOCABULARY, width),
        "positional_embedding": (CONTEXT, width),
        "text_projection": (width, case.embed),
        "ln_final.weight": (width,),
        "ln_final.bias": (width,),
    }
    for i in range(case.layers):
        block = f"transformer.resblocks.{i}."
        for name, out, into in (
            ("attn.in_proj_", 3 * width, width),
            ("attn.out_proj.", width, width),
            ("mlp.c_fc.", inner, width),
            ("mlp.c_proj.", width, inner),
        ):
            found[f"{block}{name}weight"], found[f"{block}{name}bias"] = (out, into), (out,)
        for name in ("ln_1.", "ln_2."):
            found[f"{block}{name}weight"] = found[f"{block}{name}bias"] = (width,)
    return found


@lru_cache(maxsize=2)
def weights(case: Case) -> dict[str, Tensor]:
    """The state dict, names with the case's prefix. Shared: do not change it."""
    drawn = draw(shapes(case), case.seed)
    return {case.prefix + name: tensor for name, tensor in drawn.items()}


def draw(found: dict[str, tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    """Values for tensors of these shapes, in the order of their names."""
    random = np.random.RandomState(seed)
    return {
        name: torch.tensor(_values(name, random.standard_normal(shape)), dtype=torch.float32)
        for name, shape in sorted(found.items())
    }


def _values(name: str, n: np.ndarray) -> np.ndarray:
    if "embedding" in name:
        return 0.5 * n
    if "ln_" in name or "LayerNorm" in name:
        return 1 + 0.1 * n if name.endswith("weight") else 0.1 + 0.05 * n
    if n.ndim < 2:
        return 0.05 + 0.02 * n
    return n / np.sqrt(n.shape[0] if name.endswith("projection") else n.shape[1])


def blocks(encode: Any) -> list[list[int]]:
    """Chunks [5 77] of the three prompts: ids between bos and eos, padded with 0."""
    rows = []
    for prompt in (NEGATIVE, POSITIVE, LONG):
        ids = encode(prompt)
        for start in range(0, len(ids), CONTEXT - 2):
            row = [49406, *ids[start : start + CONTEXT - 2], 49407]
            rows.append(row + [0] * (CONTEXT - len(row)))
    return rows


# --- a text model of Hugging Face within open_clip ---

HF_CONFIG = {
    "vocab_size": 120, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 40, "type_vocab_size": 1,
    "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
}  # fmt: skip
# pooler and projection of xlm-roberta-base-ViT-B-32, roberta-ViT-B-32 and coca_roberta-ViT-B-32
HF = {
    "xlm-roberta-mlp": ("xlm-roberta", "mean_pooler", "mlp", 21),
    "roberta-linear": ("roberta", "mean_pooler", "linear", 22),
    "roberta-cls": ("roberta", "cls_last_hidden_state_pooler", "linear", 23),
}
HF_EMBED = 24


def hf_ids() -> Tensor:
    """Chunks [3 20]: long, short, empty."""
    random = np.random.RandomState(5)
    ids = torch.from_numpy(random.randint(3, 120, (3, 20)))
    for row, n in zip(ids, (18, 6, 0), strict=True):
        row[0], row[n + 1], row[n + 2 :] = 0, 2, 1
    return ids
