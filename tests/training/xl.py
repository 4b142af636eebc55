"""A tiny SDXL teacher: two towers, a pooled vector, picture sizes."""

import copy

from clipcond.training.teacher import Teacher
from tests.pipelines.models import tiny_sdxl, unet_xl


def teacher_xl() -> Teacher:
    """Of a pipeline of its own, latents 4 x 4."""
    unet = unet_xl(
        sample_size=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    return Teacher.from_pipeline(tiny_sdxl(unet=copy.deepcopy(unet)))
