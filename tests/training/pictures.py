"""A tiny vision tower, and pictures with captions, for tests of tune-tower."""

from pathlib import Path

from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from tests.towers.chinese import with_weights

COLOURS = {"红": "red", "绿": "green", "蓝": "blue", "黑": "black", "白": "white", "黄": "yellow"}
WIDTH = 24  # of tower_zh's projection

__all__ = ["WIDTH", "write_captions", "write_vision"]


def write_vision(folder: Path) -> Path:
    """A tiny vision tower's folder."""
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        image_size=8, patch_size=4, projection_dim=WIDTH,
    )  # fmt: skip
    with_weights(CLIPVisionModelWithProjection(config), 3).save_pretrained(folder)
    return folder


def write_captions(folder: Path) -> Path:
    """Six pictures with captions, and a line that is broken."""
    lines = []
    for i, (chinese, english) in enumerate(COLOURS.items()):
        Image.new("RGB", (8, 8), english).save(folder / f"{i}.png")
        lines.append(f"{i}.png\t{chinese}色的")
    path = folder / "captions.tsv"
    path.write_text("\n".join([*lines, "none.png\t没有"]) + "\n", encoding="utf-8")
    return path
