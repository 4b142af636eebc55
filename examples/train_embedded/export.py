"""Assemble the trained stages into the diffusers folder that clipcond ships: safetensors, float16.

The text tower is written with the `text_model.` prefix: transformers 5.0 to 5.5 read nothing else
(they would load random weights with only a warning), and later versions read both.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from train_clip import TOKENIZER, known_rows
from transformers import CLIPModel, CLIPTokenizer

from clipcond.model_defaults import DEFAULTS

PIPELINE = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.36.0",
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
TEXT_KEYS = (
    "vocab_size hidden_size intermediate_size projection_dim num_hidden_layers num_attention_heads"
    " max_position_embeddings hidden_act layer_norm_eps bos_token_id eos_token_id pad_token_id"
).split()
VISION_KEYS = (
    "hidden_size intermediate_size projection_dim num_hidden_layers num_attention_heads"
    " num_channels image_size patch_size hidden_act layer_norm_eps"
).split()


def write_config(folder: Path, config: object, keys: list[str], name: str, kind: str) -> None:
    """A config.json of the keys every transformers 5 reads, and clipcond's own where there are."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.json"
    own = json.loads(path.read_text()).get(DEFAULTS) if path.exists() else None
    entries = {"architectures": [name], "model_type": kind, "dtype": "float16"}
    entries |= {key: getattr(config, key) for key in keys}
    entries |= {DEFAULTS: own} if own else {}
    path.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n")


def half(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The floating-point tensors in float16; buffers of positions are left out."""
    return {k: v.half().contiguous() for k, v in tensors.items() if v.is_floating_point()}


def write_towers(clip: CLIPModel, out: Path) -> None:
    """model/text_encoder, vision_tower and the text projection that measuring needs."""
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    text = half({f"text_model.{k}": v for k, v in clip.text_model.state_dict().items()})
    text["text_model.embeddings.token_embedding.weight"] *= known_rows(tokenizer)[:, None].half()
    folder = out / "model" / "text_encoder"
    write_config(folder, clip.config.text_config, TEXT_KEYS, "CLIPTextModel", "clip_text_model")
    save_file(text, folder / "model.safetensors", metadata={"format": "pt"})

    vision = {f"vision_model.{k}": v for k, v in clip.vision_model.state_dict().items()}
    vision["visual_projection.weight"] = clip.visual_projection.weight.detach()
    name = "CLIPVisionModelWithProjection"
    folder = out / "vision_tower"
    write_config(folder, clip.config.vision_config, VISION_KEYS, name, "clip_vision_model")
    write_scale(folder / "config.json", "embedded", clip.logit_scale)
    save_file(half(vision), folder / "model.safetensors", metadata={"format": "pt"})
    projection = {"text_projection.weight": clip.text_projection.weight.detach()}
    save_file(half(projection), folder / "text_projection.safetensors")


def write_scale(path: Path, tower: str, logit_scale: torch.Tensor) -> None:
    """What cosines with this text tower are multiplied with, in the vision tower's config.json."""
    config = json.loads(path.read_text())
    scales = config.setdefault(DEFAULTS, {}).setdefault("logit_scale", {})
    scales[tower] = round(min(100.0, logit_scale.exp().item()), 1)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def without_paths(folder: Path) -> None:
    """Take the training machine's paths out of every config below `folder`."""
    for path in folder.rglob("config.json"):
        config = json.loads(path.read_text())
        if config.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def main() -> None:
    """Write the folder `model` (and `vision_tower` next to it) under --out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=TOKENIZER.parents[1])
    options = parser.parse_args()
    model = options.out / "model"
    write_towers(CLIPModel.from_pretrained(options.runs / "clip_mirrored" / "final"), options.out)
    vae = AutoencoderKL.from_pretrained(options.runs / "vae" / "final")
    vae.half().save_pretrained(model / "vae")
    unet = options.runs / "unet" / "final"
    UNet2DConditionModel.from_pretrained(unet / "unet").half().save_pretrained(model / "unet")
    shutil.copytree(unet / "scheduler", model / "scheduler", dirs_exist_ok=True)
    if (model / "tokenizer") != TOKENIZER:
        shutil.copytree(TOKENIZER, model / "tokenizer", dirs_exist_ok=True)
    without_paths(model)
    for path in options.out.rglob("*.safetensors"):
        path.chmod(0o644)  # safetensors writes files that only their owner can read
    (model / "model_index.json").write_text(json.dumps(PIPELINE, indent=2) + "\n")


if __name__ == "__main__":
    main()
