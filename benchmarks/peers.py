"""What else encodes prompts: each as a function of prompts and a negative, or why it is missing."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    utils,
)
from transformers import CLIPTextModel
from transformers.utils import logging

from benchmarks.measuring import Options
from benchmarks.workloads import Workload, tokenizer
from clipcond import convert

Peer = Callable[[Workload], object]
PEERS = ("compel", "lpw", "sd_embed", "diffusers")


class NotThere(Exception):
    """A peer is not installed, or not given."""


def peers(model: CLIPTextModel, options: Options) -> tuple[dict[str, Peer], dict[str, str]]:
    """Make the peers of a text model.

    Returns:
        those there are, and of each other one why it is missing.
    """
    makers = {
        "compel": _compel,
        "lpw": partial(_lpw, path=options.lpw),
        "sd_embed": partial(_sd_embed, path=options.sd_embed),
        "diffusers": _diffusers,
    }
    found: dict[str, Peer] = {}
    missing: dict[str, str] = {}
    for name, make in makers.items():
        try:
            peer = torch.no_grad()(make(model))
            peer(Workload("a try", ["a red fox"], ""))
        except NotThere as error:
            missing[name] = str(error)
        except Exception as error:  # a peer may fail in any way, and costs only its own figures
            missing[name] = f"failed: {type(error).__name__}"
        else:
            found[name] = peer
    return found, missing


def _compel(model: CLIPTextModel) -> Peer:
    """Encode as compel does, which takes prompts one by one, in its own notation."""
    try:
        from compel import Compel
    except ImportError:
        raise NotThere("not installed: pip install compel") from None
    compel = Compel(tokenizer=tokenizer(), text_encoder=model, truncate_long_prompts=False)

    def encode(workload: Workload) -> object:
        prompts = [convert(prompt, "a1111", "compel") for prompt in workload.prompts]
        made = [compel(prompt) for prompt in (*prompts, workload.negative)]
        return compel.pad_conditioning_tensors_to_same_length(made)

    return encode


def _lpw(model: CLIPTextModel, path: Path | None) -> Peer:
    """Encode as diffusers' community pipeline lpw_stable_diffusion does."""
    if path is None:
        raise NotThere("not given: --lpw lpw_stable_diffusion.py of diffusers' examples")
    spec = importlib.util.spec_from_file_location("lpw_stable_diffusion", path)
    if spec is None or spec.loader is None:
        raise NotThere(f"{path} is no Python file")
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pipe = _pipeline(model)

    def encode(workload: Workload) -> object:
        negatives = [workload.negative] * len(workload.prompts)
        return module.get_weighted_text_embeddings(
            pipe, workload.prompts, negatives, max_embeddings_multiples=9
        )

    return encode


def _sd_embed(model: CLIPTextModel, path: Path | None) -> Peer:
    """Encode as sd_embed does, which takes prompts one by one."""
    if path is None:
        raise NotThere("not given: --sd-embed the folder of its sources")
    sys.path.insert(0, str(path))
    # what reads its schedules, which are not used here
    if "lark" not in sys.modules and importlib.util.find_spec("lark") is None:
        sys.modules["lark"] = _without("lark", "Lark")
    module: Any = importlib.import_module("sd_embed.embedding_funcs")
    pipe = _pipeline(model)

    def encode(workload: Workload) -> object:
        return [
            module.get_weighted_text_embeddings_sd15(pipe, prompt, workload.negative)
            for prompt in workload.prompts
        ]

    return encode


def _without(name: str, *callables: str) -> ModuleType:
    """Make a module whose callables do nothing."""
    module = ModuleType(name)
    for each in callables:
        setattr(module, each, lambda *_, **__: None)
    return module


def _diffusers(model: CLIPTextModel) -> Peer:
    """Encode as plain diffusers does: without weights, cut off at one chunk."""
    pipe = _pipeline(model)

    def encode(workload: Workload) -> object:
        negatives = [workload.negative] * len(workload.prompts)
        return pipe.encode_prompt(workload.prompts, torch.device("cpu"), 1, True, negatives)

    return encode


def _pipeline(model: CLIPTextModel) -> StableDiffusionPipeline:
    """Put the text model into a pipeline whose other models are as small as they can be."""
    utils.logging.set_verbosity_error()
    logging.set_verbosity_error()
    blocks = {"block_out_channels": (32,), "norm_num_groups": 8}
    unet = UNet2DConditionModel(
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        cross_attention_dim=model.config.hidden_size,
        **blocks,
    )
    pipe = StableDiffusionPipeline(
        vae=AutoencoderKL(**blocks),
        text_encoder=model,
        tokenizer=tokenizer(),
        unet=unet,
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe
