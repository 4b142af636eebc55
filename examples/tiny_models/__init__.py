"""Models of SDXL's and Stable Diffusion 3's make, small and with random weights.

They draw nothing that one could see; the examples show with them what a prompt does to numbers. In
their place, load the model that you have: `StableDiffusionXLPipeline.from_pretrained(...)`.
"""

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from clipcond import embedded

__all__ = ["sd3", "sdxl", "sdxl_refiner"]

BLOCKS = {
    "layers_per_block": 1,
    "block_out_channels": (16, 32),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 8,
}


def text_encoder(width: int, kind: type = CLIPTextModelWithProjection, pad: int = 49407):
    """Make a CLIP text model of three blocks with CLIP's own vocabulary."""
    config = CLIPTextConfig(
        vocab_size=49408, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=3,
        num_attention_heads=2, projection_dim=width, pad_token_id=pad,
        bos_token_id=49406, eos_token_id=49407,
    )  # fmt: skip
    return kind(config).eval()


def tokenizer(pad: str = "<|endoftext|>") -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(str(embedded.folder() / "tokenizer"), pad_token=pad)


def unet(width: int, pooled: int, n_numbers: int) -> UNet2DConditionModel:
    """A UNet that reads rows of `width` and a pooled vector, as SDXL's."""
    return UNet2DConditionModel(
        sample_size=8, cross_attention_dim=width, attention_head_dim=4, use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=pooled + 8 * n_numbers, **BLOCKS,
    ).eval()  # fmt: skip


def vae() -> AutoencoderKL:
    kinds = {"down_block_types": ("DownEncoderBlock2D",), "up_block_types": ("UpDecoderBlock2D",)}
    return AutoencoderKL(block_out_channels=(16,), norm_num_groups=8, **kinds).eval()


def quiet(pipe):
    pipe.set_progress_bar_config(disable=True)
    return pipe


def sdxl() -> StableDiffusionXLPipeline:
    """Two text encoders, 32 and 48 wide; the UNet reads both, and the second's pooled vector."""
    torch.manual_seed(0)
    made = StableDiffusionXLPipeline(
        vae=vae(), text_encoder=text_encoder(32, CLIPTextModel), tokenizer=tokenizer(),
        text_encoder_2=text_encoder(48, pad=0), tokenizer_2=tokenizer("!"),
        unet=unet(80, 48, 6), scheduler=DDIMScheduler(), add_watermarker=False,
    )  # fmt: skip
    return quiet(made)


def sdxl_refiner(base: StableDiffusionXLPipeline) -> StableDiffusionXLImg2ImgPipeline:
    """A refiner has the second text encoder alone, and an aesthetic score in place of a size."""
    made = StableDiffusionXLImg2ImgPipeline(
        vae=base.vae, text_encoder=None, tokenizer=None, text_encoder_2=base.text_encoder_2,
        tokenizer_2=base.tokenizer_2, unet=unet(48, 48, 5), scheduler=DDIMScheduler(),
        requires_aesthetics_score=True, force_zeros_for_empty_prompt=False, add_watermarker=False,
    )  # fmt: skip
    return quiet(made)


def sd3() -> StableDiffusion3Pipeline:
    """Two CLIP text encoders with projections, a transformer, and no T5, which is optional."""
    torch.manual_seed(0)
    transformer = SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, out_channels=4, num_layers=2,
        attention_head_dim=8, num_attention_heads=2, joint_attention_dim=96,
        caption_projection_dim=16, pooled_projection_dim=80, pos_embed_max_size=8,
    )  # fmt: skip
    made = StableDiffusion3Pipeline(
        transformer=transformer.eval(), scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae(),
        text_encoder=text_encoder(32), tokenizer=tokenizer(), text_encoder_2=text_encoder(48),
        tokenizer_2=tokenizer("!"), text_encoder_3=None, tokenizer_3=None,
    )  # fmt: skip
    return quiet(made)
