"""A tiny SDXL teacher: two towers, a pooled vector, picture sizes."""

import copy

import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel

from clipcond.training.teacher import Teacher
from tests.parity.models import model_g, model_l, tokenizer
from tests.pipelines.models import tiny_sd

WIDTH, POOLED = 72, 40  # 32 of L and 40 of G; the pooled vector is G's


def teacher_xl() -> Teacher:
    parts = tiny_sd()
    with torch.random.fork_rng():
        torch.manual_seed(8)
        unet = UNet2DConditionModel(
            sample_size=4,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=WIDTH,
            attention_head_dim=4,
            norm_num_groups=8,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=POOLED + 6 * 8,
            use_linear_projection=True,
        )
    pipe = StableDiffusionXLPipeline(
        vae=parts.vae,
        unet=unet.eval().requires_grad_(False),
        text_encoder=copy.deepcopy(model_l()),
        text_encoder_2=copy.deepcopy(model_g()),
        tokenizer=tokenizer(),
        tokenizer_2=tokenizer("!"),
        scheduler=parts.scheduler,
        add_watermarker=False,
    )
    return Teacher.from_pipeline(pipe)
