"""What open_clip and EVA-CLIP gave for the recipe's models, and how a tower is held against it."""

import json
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file

from clipcond.towers import HiddenLayer, TextTower

DATA = Path(__file__).parent.parent / "data"
# absolute: other kernels round differently in the last places; a wrong activation differs by 0.02
CLOSE = 1e-5


@lru_cache(maxsize=2)
def golden(name: str) -> dict[str, torch.Tensor]:
    """Everything in the reference's safetensors."""
    return load_file(DATA / f"{name}.safetensors")


@lru_cache(maxsize=1)
def facts() -> dict:
    """open_clip.json: chunks, and tokens of strings."""
    return json.loads((DATA / "open_clip.json").read_text(encoding="utf-8"))


def chunks() -> torch.Tensor:
    """[5 77]: the negative, the positive, and three of the long prompt."""
    return torch.tensor(facts()["rows"])


def differences(
    tower: TextTower, ids: torch.Tensor, expected: dict[str, torch.Tensor], name: str
) -> dict[str, float]:
    """The largest absolute difference of every layer, with and without norm, and of pooled."""
    step = tower.width // expected[f"{name}/hidden.1"].shape[-1]
    found = {}
    for depth in range(1, tower.depth + 1):
        for kind, normed in (("hidden", False), ("normed", True)):
            key = f"{name}/{kind}.{depth}"
            if key in expected:
                ours = tower.encode(ids, None, HiddenLayer(depth, normed)).hidden[..., ::step]
                found[key] = (ours - expected[key]).abs().max().item()
    pooled = tower.encode(ids, None, HiddenLayer(1), pooled=True).pooled
    found["pooled"] = (pooled - expected[f"{name}/pooled"]).abs().max().item()
    return found
