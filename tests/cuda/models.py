"""Models of real width with random weights, made where they run; small ones for a rehearsal.

The tests of this folder need a CUDA device. `CLIPCOND_REHEARSE=1` runs those that can on the CPU,
with small models: it shows that the code of the tests works, and nothing about a GPU.
"""

import os
from functools import lru_cache

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
)

from clipcond import Conditioner, load_tower
from clipcond.embedded import folder

REHEARSAL = os.environ.get("CLIPCOND_REHEARSE") == "1"
DEVICE = "cpu" if REHEARSAL else "cuda"
SHRINK = 8 if REHEARSAL else 1  # widths are divided by it

WIDTH_L, WIDTH_G = 768 // SHRINK, 1280 // SHRINK


def text_config(width: int, heads: int, blocks: int, act: str, pad: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=4 * width,
        num_attention_heads=heads,
        num_hidden_layers=blocks,
        hidden_act=act,
        projection_dim=width,
        max_position_embeddings=77,
        bos_token_id=49406,
        eos_token_id=49407,
        pad_token_id=pad,
    )


def _made(kind, config, seed: int):
    """A model with random float32 weights, on the device.

    Its layer norms too: without them every mean is zero, and no rule could restore it.
    """
    with torch.random.fork_rng(devices=[] if REHEARSAL else None), torch.device(DEVICE):
        torch.manual_seed(seed)
        model = kind(config).eval().requires_grad_(False)
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight.normal_(1.0, 0.1)
                module.bias.normal_(0.1, 0.05)
        return model


@lru_cache(maxsize=1)
def clip_l() -> CLIPTextModel:
    """CLIP ViT-L/14's text tower: 768 wide, 12 blocks."""
    return _made(CLIPTextModel, text_config(WIDTH_L, 12, 12, "quick_gelu", 49407), 1)


@lru_cache(maxsize=1)
def clip_g() -> CLIPTextModelWithProjection:
    """OpenCLIP bigG's text tower with 8 of its 32 blocks: 1280 wide."""
    return _made(CLIPTextModelWithProjection, text_config(WIDTH_G, 20, 8, "gelu", 0), 2)


def tokenizer(pad: str = "<|endoftext|>") -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(str(folder() / "tokenizer"), pad_token=pad)


def _unet(seed: int, width: int, **more) -> UNet2DConditionModel:
    """SD1's UNet by its own configuration (diffusers' defaults), but for what `more` says."""
    config = {
        "sample_size": 64 // SHRINK,
        "block_out_channels": tuple(n // SHRINK for n in (320, 640, 1280, 1280)),
        "norm_num_groups": 32 // SHRINK,
        "cross_attention_dim": width,
        "attention_head_dim": 8,
        **more,
    }
    with torch.random.fork_rng(devices=[] if REHEARSAL else None), torch.device(DEVICE):
        torch.manual_seed(seed)
        return UNet2DConditionModel(**config).eval().requires_grad_(False)


def _shared() -> dict:
    with torch.device(DEVICE):
        vae = AutoencoderKL(block_out_channels=(32,), norm_num_groups=8)
    return {
        "vae": vae.eval().requires_grad_(False),
        "tokenizer": tokenizer(),
        "scheduler": DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
            set_alpha_to_one=False, steps_offset=1,
        ),
    }  # fmt: skip


def _ready(pipe, dtype: torch.dtype):
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(DEVICE, dtype)


def sd1(dtype: torch.dtype):
    """A Stable Diffusion 1 of random weights: CLIP-L and SD1's own UNet."""
    own = {"text_encoder": _copy(clip_l()), "unet": _unet(3, WIDTH_L), **_shared()}
    own |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return _ready(StableDiffusionPipeline(**own), dtype)


def sdxl(dtype: torch.dtype):
    """SDXL of real widths and few blocks: CLIP-L, bigG with 8 blocks, a UNet with text_time."""
    unet = _unet(
        4, WIDTH_L + WIDTH_G, sample_size=128 // SHRINK,
        block_out_channels=tuple(n // SHRINK for n in (320, 640, 1280)),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(5, 10, 20), use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=256 // SHRINK,
        projection_class_embeddings_input_dim=WIDTH_G + 6 * (256 // SHRINK),
    )  # fmt: skip
    own = {"text_encoder": _copy(clip_l()), "text_encoder_2": _copy(clip_g()), "unet": unet}
    own |= {**_shared(), "tokenizer_2": tokenizer("!")}
    return _ready(StableDiffusionXLPipeline(**own, add_watermarker=False), dtype)


def _copy(model):
    twin = type(model)(model.config)
    twin.load_state_dict(model.state_dict())
    return twin.eval().requires_grad_(False)


def latents(pipe, prompt: str, **kwargs) -> torch.Tensor:
    """What a few steps make of a prompt: float32 on the CPU, the same for the same call."""
    options = {
        "num_inference_steps": 4,
        "generator": torch.Generator().manual_seed(0),
        "output_type": "latent",
        **kwargs,
    }
    return pipe(prompt, **options).images.float().cpu()


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """The norm of the difference, relative to b's norm; NaN where either has one."""
    a, b = a.double().cpu(), b.double().cpu()
    return float((a - b).norm() / b.norm())


@torch.no_grad()
def objects_seen(pictures: torch.Tensor, names: list[str]) -> list[int]:
    """For each picture [n 3 H W] in 0..1 the name that the embedded CLIP reads in it."""
    place = folder().parent / "vision_tower"
    vision = CLIPVisionModelWithProjection.from_pretrained(place).float()
    weight = load_file(place / "text_projection.safetensors")["text_projection.weight"].float()
    tower = load_tower("embedded")
    texts = Conditioner(tower, dialect="plain", clip_skip=1, pooled=True)(
        [f"a {name}" for name in names]
    )
    sides = (texts.pooled.float() @ weight.T, vision(pixel_values=pictures * 2 - 1).image_embeds)
    texts_, images = (side / side.norm(dim=-1, keepdim=True) for side in sides)
    return (images @ texts_.T).argmax(dim=1).tolist()
