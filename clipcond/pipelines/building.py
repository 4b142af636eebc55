"""Build a diffusers pipeline with a Conditioner from the name of a model."""

from __future__ import annotations

from os import PathLike

import torch

from clipcond.adapters import Adapter
from clipcond.conditioning.cache import CACHE_BYTES
from clipcond.conditioning.dialect import Dialect
from clipcond.conditioning.dialects import DialectName, find_dialect
from clipcond.conditioning.prompt_text import ExtraNetworks
from clipcond.pipelines.attachment import Attachment
from clipcond.pipelines.attention_kernels import AttentionName, check_attention, use_attention
from clipcond.pipelines.devices import find_device, find_dtype
from clipcond.pipelines.loading import load_pipeline
from clipcond.pipelines.protocols import ConditionedPipeline
from clipcond.pipelines.steps import StepCount
from clipcond.towers import TextTower
from clipcond.weighting import NormalizeChoice, WeightingChoice, find_normalize, find_rule


def build_pipeline(
    model: str | PathLike[str] | None = None,
    *,
    clip_skip: int | None = None,
    dialect: DialectName | Dialect = "a1111",
    weighting: WeightingChoice | None = None,
    normalize: NormalizeChoice | None = None,
    tower: TextTower | str | PathLike[str] | None = None,
    adapter: Adapter | str | PathLike[str] | None = None,
    allow_unaligned: bool = False,
    task: str = "text2image",
    dtype: torch.dtype | str | None = None,
    device: torch.device | str | None = None,
    attention: AttentionName = "sdpa",
    fullwidth: bool | None = None,
    extra_networks: ExtraNetworks = None,
    vae: str | PathLike[str] | None = None,
    allow_pickle: bool = False,
    max_chunks: int | None = None,
    cache_bytes: int = CACHE_BYTES,
    step_count: StepCount = "a1111",
) -> ConditionedPipeline:
    """Build a diffusers pipeline whose prompts go through a Conditioner.

    Args:
        model: a folder of diffusers, one file, or a Hub id (offline: cached); None = embedded.
        clip_skip, dialect, weighting, normalize, tower, fullwidth, extra_networks, max_chunks,
            cache_bytes, adapter, allow_unaligned, step_count: as for `attach`.
        task: "text2image", "image2image" or "inpainting" (models for that, or of 4 channels).
        dtype, device: None = float16 on CUDA, float32 elsewhere; the first of cuda, mps, cpu.
        attention: "sdpa" (torch's own kernels), "flash" (flash-attn), "xformers", "eager" (slow).
        vae: a folder or file with an autoencoder in place of the model's own.
        allow_pickle: read weights, and nothing else, out of pickles too (.ckpt, .bin).
    Returns:
        the stock class for the task; its guidance and steps are by default the model's own.
    Raises:
        CheckpointError: the model cannot be found or read, or is incomplete.
        PipelineError: its family or the task is not supported, or tower, adapter or attention not.
        UnknownNameError: no such dialect, weighting, task, device, dtype or attention.
    """
    _check_names(dialect, weighting, normalize, attention)
    dtype = find_dtype(dtype, device := find_device(device))
    choices = {
        **{"clip_skip": clip_skip, "dialect": dialect, "weighting": weighting},
        **{"normalize": normalize, "fullwidth": fullwidth, "extra_networks": extra_networks},
        **{"max_chunks": max_chunks, "cache_bytes": cache_bytes, "step_count": step_count},
    }
    attachment = Attachment(
        choices, tower, adapter, allow_unaligned=allow_unaligned, allow_pickle=allow_pickle
    )
    loaded = load_pipeline(
        model, task=task, dtype=dtype, vae=vae, allow_pickle=allow_pickle,
        needs_encoder=tower is None,
    )  # fmt: skip
    pipe = attachment.put_on(loaded)
    attachment.move_tower(device)
    pipe.set_progress_bar_config(disable=None, leave=False)  # a bar on terminals, none in logs
    pipe.to(device)
    use_attention(pipe, attention)
    return pipe


def _check_names(
    dialect: DialectName | Dialect,
    weighting: WeightingChoice | None,
    normalize: NormalizeChoice | None,
    attention: str,
) -> None:
    """Check names before loading: a typing error should not cost the minutes that it takes."""
    find_dialect(dialect)
    if weighting is not None:
        find_rule(weighting)
    if normalize is not None:
        find_normalize(normalize)
    check_attention(attention)
