"""Assemble the trained stages into the folders that clipcond ships; cut large files, and join them.

The layout is that of clipcond/embedded: model, vision_tower, zh, images; `words` are lists for
clipcond/reading/words.
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

from clipcond.model_defaults import DEFAULTS
from clipcond.tokenizers.word_piece import chinese_tokenizer
from clipcond.towers.chinese_clip import ChineseTextEncoder

from .captions_zh import WORDS
from .first_edition import EMBEDDED, TOKENIZER
from .models import CHINESE_POSITIONS
from .nouns import NOUNS
from .world import BACKGROUNDS

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
    write_scale(out, "embedded", clip.logit_scale)
    write_preprocessing(folder, clip.config.vision_config.image_size)
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
    own = {"clip_skip": clip_skip, "guidance_scale": guidance, "num_inference_steps": steps}
    _write_own(out / "model" / "text_encoder", own)


def _write_own(folder: Path, own: dict[str, object]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text()) | {DEFAULTS: own}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def write_scale(out: Path, tower: str, logit_scale: torch.Tensor) -> None:
    """Write what cosines with a text tower are multiplied with, before or after the other's."""
    path = out / "vision_tower" / "config.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    exporting.write_scale(path, tower, logit_scale)


def write_preprocessing(folder: Path, side: int) -> None:
    """Write how pictures become -1..1, as the tower was trained; without it CLIP's colours hold."""
    entries = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": side},
        "resample": 3,  # bicubic
        "do_center_crop": True,
        "crop_size": {"height": side, "width": side},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "do_convert_rgb": True,
    }
    text = json.dumps(entries, indent=2, sort_keys=True) + "\n"
    (folder / "preprocessor_config.json").write_text(text)


def write_words(folder: Path) -> None:
    """Write the lists that `interrogate` chooses from: what can be drawn, in both languages."""
    lists = {
        "en-nouns": [noun.names[0] for noun in NOUNS],
        "en-backgrounds": [f"{colour} background" for colour in BACKGROUNDS],
        "zh-nouns": [noun.chinese[0] for noun in NOUNS],
        "zh-backgrounds": [f"{WORDS[colour][0]}背景" for colour in BACKGROUNDS],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, phrases in lists.items():
        text = "\n".join(phrases) + "\n"
        (folder / f"embedded-{name}.txt").write_text(text, encoding="utf-8")


def write_chinese(out: Path, tower: ChineseTextEncoder) -> Path:
    """Write the folder of the Chinese tower, as `load_tower` opens it."""
    folder = out / "zh" / "tower"
    name, kind = "ChineseCLIPTextModel", "chinese_clip_text_model"
    exporting.write_config(folder, tower.config, CHINESE_KEYS, name, kind)
    _write_own(folder, {"clip_skip": 2})  # as the adapter is trained, and the English tower
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
