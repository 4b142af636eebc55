"""Assemble the trained stages into the folders that clipcond ships; cut large files, and join them.

The layout is that of clipcond/embedded: model, vision_tower, zh.
"""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPModel

from clipcond.tokenizers.word_piece import chinese_tokenizer
from clipcond.towers.chinese_clip import ChineseTextEncoder

from .first_edition import EMBEDDED, TOKENIZER
from .models import CHINESE_POSITIONS

exporting = importlib.import_module("export")  # the first edition's
MOST_BYTES = 16 * 2**20  # of a file on its way between machines
VOCABULARY = EMBEDDED / "zh" / "tower" / "vocab.txt"
CHINESE_KEYS = (
    "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads hidden_act"
    " max_position_embeddings type_vocab_size layer_norm_eps pad_token_id hidden_dropout_prob"
    " attention_probs_dropout_prob"
).split()


def _save(tensors: dict[str, torch.Tensor], path: Path) -> None:
    save_file(exporting.half(tensors), path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors writes files that only their owner can read


def write_english(
    out: Path, clip: CLIPModel, vae: AutoencoderKL, unet: UNet2DConditionModel, scheduler: Path
) -> None:
    """Write the pipeline's folder `model`, and `vision_tower` next to it."""
    model = out / "model"
    text = {f"text_model.{k}": v.cpu() for k, v in clip.text_model.state_dict().items()}
    config, keys = clip.config.text_config, exporting.TEXT_KEYS
    folder = model / "text_encoder"
    exporting.write_config(folder, config, keys, "CLIPTextModel", "clip_text_model")
    _save(text, folder / "model.safetensors")
    vision = {f"vision_model.{k}": v.cpu() for k, v in clip.vision_model.state_dict().items()}
    vision["visual_projection.weight"] = clip.visual_projection.weight.detach().cpu()
    folder, name = out / "vision_tower", "CLIPVisionModelWithProjection"
    keys = exporting.VISION_KEYS
    exporting.write_config(folder, clip.config.vision_config, keys, name, "clip_vision_model")
    _save(vision, folder / "model.safetensors")
    projection = {"text_projection.weight": clip.text_projection.weight.detach().cpu()}
    _save(projection, folder / "text_projection.safetensors")
    vae.cpu().half().save_pretrained(model / "vae")
    unet.cpu().half().save_pretrained(model / "unet")
    shutil.copytree(scheduler, model / "scheduler", dirs_exist_ok=True)
    shutil.copytree(TOKENIZER, model / "tokenizer", dirs_exist_ok=True)
    exporting.without_paths(model)
    text_of = json.dumps(exporting.PIPELINE, indent=2) + "\n"
    (model / "model_index.json").write_text(text_of)
    for path in model.rglob("*.safetensors"):
        path.chmod(0o644)


def write_defaults(out: Path, guidance: float, clip_skip: int = 2, steps: int = 20) -> None:
    """Store with the model what it looks best with; `generate` goes by it."""
    path = out / "model" / "text_encoder" / "config.json"
    config = json.loads(path.read_text())
    config["clipcond"] = {
        "clip_skip": clip_skip,
        "guidance_scale": guidance,
        "num_inference_steps": steps,
    }
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_chinese(out: Path, tower: ChineseTextEncoder) -> Path:
    """Write the folder of the Chinese tower, as `load_tower` opens it."""
    folder = out / "zh" / "tower"
    name, kind = "ChineseCLIPTextModel", "chinese_clip_text_model"
    exporting.write_config(folder, tower.config, CHINESE_KEYS, name, kind)
    state = {k: v.cpu() for k, v in tower.text_model.state_dict().items()}
    state["text_projection.weight"] = tower.text_projection.weight.detach().cpu()
    _save(state, folder / "model.safetensors")
    chinese_tokenizer()  # fails here, not for its users, if the vocabulary is not what it was
    (folder / "vocab.txt").write_bytes(VOCABULARY.read_bytes())
    entries = {
        "do_lower_case": True,
        "model_max_length": CHINESE_POSITIONS,
        "tokenizer_class": "BertTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(entries, indent=2) + "\n")
    return folder


def english_bytes(out: Path) -> int:
    """Bytes of all English parts on disk."""
    folders = (out / "model", out / "vision_tower")
    return sum(p.stat().st_size for f in folders for p in f.rglob("*") if p.is_file())


def pack_folder(out: Path, folder: Path) -> list[Path]:
    """Put a folder into one archive, cut into files of at most MOST_BYTES."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = Path(shutil.make_archive(str(folder / "embedded"), "tar", out))
    data, paths = archive.read_bytes(), []
    archive.unlink()
    for i, start in enumerate(range(0, len(data), MOST_BYTES)):
        paths.append(folder / f"embedded.tar.{i:02d}")
        paths[-1].write_bytes(data[start : start + MOST_BYTES])
    return paths


def join_folder(folder: Path, out: Path) -> None:
    """Unpack what `pack_folder` cut."""
    parts = sorted(folder.glob("embedded.tar.[0-9][0-9]"))
    if not parts:
        raise SystemExit(f"{folder} holds no embedded.tar.00")
    archive = out.with_suffix(".tar")
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(b"".join(part.read_bytes() for part in parts))
    shutil.unpack_archive(archive, out, filter="data")
    archive.unlink()
