"""A Stable Diffusion small enough for tests: random weights, real tokenizer, real classes."""

import copy
from functools import lru_cache

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)

from tests.parity.models import model_g, model_l, tokenizer

WIDTH = 32  # of model_l, and so of what the UNet reads
WIDTH_G = 40  # of model_g and its projection
SIDE = 16  # pixels: 8 latents, times 2


def tiny_sd(**parts) -> StableDiffusionPipeline:
    """A pipeline of its own, to spoil (but for the tokenizer); `parts` replace some components."""
    own = {**copy.deepcopy(_parts()), "tokenizer": tokenizer(), **parts}
    pipe = StableDiffusionPipeline(**own)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def tiny_sdxl(**parts) -> StableDiffusionXLPipeline:
    """SDXL as small: two text encoders, a pooled vector, picture sizes."""
    own = copy.deepcopy({**_parts(), "unet": unet_xl(), "text_encoder_2": model_g()})
    for name in ("safety_checker", "requires_safety_checker"):
        del own[name]
    own |= {"tokenizer": tokenizer(), "tokenizer_2": tokenizer("!"), **parts}
    pipe = StableDiffusionXLPipeline(**own, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def latents(pipe, *args, **kwargs) -> torch.Tensor:
    """What two steps of denoising make of a call: the same call gives the same tensor."""
    kwargs = {"num_inference_steps": 2, "generator": seeded(), "output_type": "latent", **kwargs}
    return pipe(*args, **kwargs).images


def stock_class(pipe: object) -> type:
    """The class that attached pipelines have been made subclasses of, under its name."""
    return next(kind for kind in type(pipe).__mro__ if "_recipe" not in vars(kind))


def final_norm(text_encoder: torch.nn.Module) -> torch.nn.Module:
    return getattr(text_encoder, "text_model", text_encoder).final_layer_norm


def unet_of(width: int, **more) -> UNet2DConditionModel:
    """A UNet that reads text so wide; `more` replaces or adds to its sizes."""
    sizes = {
        "sample_size": SIDE // 2,
        "block_out_channels": (16, 32),
        "layers_per_block": 1,
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 4,
        "norm_num_groups": 8,
    }
    return UNet2DConditionModel(cross_attention_dim=width, **{**sizes, **more})


def vae_of(**more) -> AutoencoderKL:
    sizes = {
        "sample_size": SIDE,
        "block_out_channels": (8, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "norm_num_groups": 4,
    }
    return AutoencoderKL(**{**sizes, **more})


@lru_cache
def unet_xl(**more) -> UNet2DConditionModel:
    """SDXL's UNet: a pooled vector and picture sizes besides the text of both towers."""
    sizes = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": WIDTH_G + 6 * 8,
        "use_linear_projection": True,
    }
    with torch.random.fork_rng():
        torch.manual_seed(8)
        unet = unet_of(WIDTH + WIDTH_G, **sizes, **more)
    return unet.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def _parts() -> dict:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        unet = unet_of(WIDTH)
        vae = vae_of()
    return {
        "unet": unet.eval().requires_grad_(False),
        "vae": vae.eval().requires_grad_(False),
        # not the shared one: on a model once asked for hidden states transformers leaves hooks,
        # and such a model can no longer be pickled
        "text_encoder": model_l.__wrapped__(),
        "scheduler": DDIMScheduler(steps_offset=1, clip_sample=False),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
