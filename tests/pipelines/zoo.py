"""Pipelines of many classes, all tiny: components by the names of a class's parameters."""

from __future__ import annotations

import copy
import inspect
from functools import lru_cache
from typing import Any

import diffusers
import numpy as np
import torch
from PIL import Image

from tests.parity.models import model_g, model_l, tokenizer
from tests.pipelines.models import SIDE, WIDTH, WIDTH_G, seeded, tiny_sd, tiny_sdxl, unet_of

PICTURE = Image.new("RGB", (SIDE, SIDE), "red")
MASK = Image.new("L", (SIDE, SIDE), 255)
POOLED = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "use_linear_projection": True,
}


def make(name: str) -> Any:
    """A pipeline of a class, to spoil."""
    kind = getattr(diffusers, name)
    wanted = inspect.signature(kind.__init__).parameters
    parts = {n: p for n, p in pool(name).items() if n in wanted}
    missing = {
        n: None for n, p in wanted.items() if n not in parts and n != "self" and p.kind is not p.VAR_KEYWORD
        and p.default is p.empty
    }
    pipe = kind(**parts, **missing)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def pool(name: str) -> dict[str, Any]:
    """Components for a class: its own, or those of SD or SDXL."""
    is_xl = "XL" in name and not name.startswith("I2VGen")
    pipe = (tiny_sdxl if is_xl else tiny_sd)()
    parts = {**pipe.components, "requires_safety_checker": False, "add_watermarker": False}
    channels = CHANNELS.get(name)
    if channels:
        sizes = {"projection_class_embeddings_input_dim": WIDTH_G + 48, **POOLED} if is_xl else {}
        parts["unet"] = random(lambda: unet_of(WIDTH + WIDTH_G * is_xl, in_channels=channels, **sizes))
    if "ControlNet" in name:
        parts["controlnet"] = control(parts["unet"])
    if name.startswith(("AnimateDiff", "PIA")):
        parts["motion_adapter"] = motion()
    return {**parts, **{n: each() for n, each in OWN.get(name, {}).items()}}


def call(pipe: Any, name: str, **over: Any) -> torch.Tensor:
    """What one or two steps make of a call."""
    wanted = inspect.signature(getattr(diffusers, name).__call__).parameters
    base = {n: v for n, v in arguments().items() if n in wanted}
    result = pipe(**{**base, **CALLS.get(name, {}), **over})
    first = result[0]
    return as_tensor(first)


def as_tensor(found: Any) -> torch.Tensor:
    if isinstance(found, torch.Tensor):
        return found
    if isinstance(found, list) and isinstance(found[0], list):
        found = found[0]
    if isinstance(found, list):
        return torch.stack([as_tensor(each) for each in found])
    return torch.as_tensor(np.asarray(found))


def arguments() -> dict[str, Any]:
    return {
        "prompt": "a cat",
        "negative_prompt": "blurry",
        "num_inference_steps": 2,
        "generator": seeded(),
        "output_type": "latent",
        "height": SIDE,
        "width": SIDE,
        "strength": 1.0,
        "image": PICTURE,
        "mask_image": MASK,
        "control_image": PICTURE,
        "num_frames": 2,
    }


def random(build: Any) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(9)
        return build().eval().requires_grad_(False)


def control(unet: Any) -> torch.nn.Module:
    def build() -> torch.nn.Module:
        made = diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16))
        for block in (*made.controlnet_down_blocks, made.controlnet_mid_block):
            torch.nn.init.normal_(block.weight, std=0.1)
        return made

    return random(build)


def motion() -> torch.nn.Module:
    return random(
        lambda: diffusers.MotionAdapter(
            block_out_channels=(16, 32), motion_layers_per_block=1, motion_norm_num_groups=8,
            motion_num_attention_heads=4, use_motion_mid_block=False,
        )
    )


# channels that a UNet reads, where they are not four
CHANNELS = {
    "StableDiffusionUpscalePipeline": 7,
    "StableDiffusionDepth2ImgPipeline": 5,
    "StableDiffusionInstructPix2PixPipeline": 8,
    "StableDiffusionXLInstructPix2PixPipeline": 8,
}
OWN: dict[str, dict[str, Any]] = {}
CALLS: dict[str, dict[str, Any]] = {}
