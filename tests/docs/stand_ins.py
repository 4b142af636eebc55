"""Small files in the places of those that the pages take to be a reader's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from shutil import copy

import torch
from PIL import Image
from safetensors.torch import save_file

from clipcond.adapters import save_adapter
from clipcond.towers import ChineseClipTower
from tests.checkpoints.made_files import clip, open_clip, unet, wrapped
from tests.pipelines.aligned import aligned
from tests.pipelines.models import tiny_sd, tiny_sdxl
from tests.towers.chinese import text_model, tokenizer

SDXL = "conditioner.embedders"


@lru_cache(maxsize=1)
def _sd():
    return tiny_sd()


def _pipeline(path: Path) -> None:
    _sd().save_pretrained(path)


def _pipeline_xl(path: Path) -> None:
    tiny_sdxl().save_pretrained(path)


def _checkpoint_xl(path: Path) -> None:
    towers = {
        **wrapped(clip(), f"{SDXL}.0.transformer."),
        **open_clip(clip(128, 3, "gelu", projection=96, seed=6), f"{SDXL}.1.model."),
    }
    save_file({**towers, **unet(2048)}, path)


def _chinese_clip(path: Path) -> None:
    text_model().save_pretrained(path)
    tokenizer().save_pretrained(path)


def _adapter(path: Path) -> None:
    made = aligned(_sd(), of=ChineseClipTower(text_model(), tokenizer()))
    save_adapter(made, made.record, path)


def _inversion(path: Path) -> None:
    save_file({"emb_params": torch.randn(2, 128)}, path)


def _prompts(path: Path) -> None:
    line = '{"prompt": "a dog", "negative": "blurry", "seed": 7, "output": "dog.png"}'
    path.write_text(f"a red apple\n{line}\n", encoding="utf-8")


def _pairs(path: Path) -> None:
    lines = ["a cat\t一只猫", "a dog\t一只狗", "a red apple\t一个红色的苹果", "a fox\t一只狐狸"]
    path.write_text("\n".join(lines * 3) + "\n", encoding="utf-8")


def _captions(path: Path) -> None:
    for name in ("cat", "dog", "fox", "tree"):
        Image.new("RGB", (64, 64), {"cat": "red", "dog": "blue"}.get(name, "green")).save(
            path.with_name(f"{name}.png")
        )
    lines = [f"{name}.png\ta {name}" for name in ("cat", "dog", "fox", "tree")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _custom_pipeline(path: Path) -> None:
    copy(Path(__file__).parents[2] / "pipelines" / path.name, path)


STAND_INS: dict[str, Callable[[Path], None]] = {
    "path/to/model": _pipeline,
    "path/to/sd15": _pipeline,
    "path/to/sdxl": _pipeline_xl,
    "pipelines/stable_diffusion.py": _custom_pipeline,
    "sd_xl_base_1.0.safetensors": _checkpoint_xl,
    "OFA-Sys/chinese-clip-vit-base-patch16": _chinese_clip,
    "zh.safetensors": _adapter,
    "EasyNegative.safetensors": _inversion,
    "prompts.txt": _prompts,
    "pairs.tsv": _pairs,
    "captions.tsv": _captions,
}


def make_stand_ins(code: str, folder: Path) -> None:
    """Make every file that the code names and does not write itself."""
    for name, make in STAND_INS.items():
        is_written = re.search(rf"(-o|--output) {re.escape(name)}", code)
        if name in code and not is_written:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path)
