"""Every pipeline with Stable Diffusion's encode_prompt is attached by the same code."""

import diffusers
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline
from PIL import Image

from clipcond import attach
from clipcond.errors import PipelineError, UnknownNameError
from clipcond.pipelines.families import STABLE_DIFFUSION, class_for_task, family_named, family_of
from tests.pipelines.models import SIDE, latents

PICTURE = Image.new("RGB", (SIDE, SIDE), "red")


@pytest.mark.parametrize(
    "name",
    [
        "StableDiffusionPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionInpaintPipeline",
        "StableDiffusionDepth2ImgPipeline",
        "StableDiffusionUpscalePipeline",
        "StableDiffusionControlNetPipeline",
        "StableDiffusionControlNetImg2ImgPipeline",
        "StableDiffusionControlNetInpaintPipeline",
        "StableDiffusionPAGPipeline",
        "StableUnCLIPPipeline",
        "LatentConsistencyModelPipeline",
        "AnimateDiffPipeline",
    ],
)
def test_a_family_is_known_by_how_it_is_called(name):
    pipeline_class = getattr(diffusers, name)

    assert family_of(pipeline_class.__new__(pipeline_class)) is STABLE_DIFFUSION


@pytest.mark.parametrize(
    ("task", "call"),
    [
        ("image2image", {"image": PICTURE, "strength": 1.0}),
        ("inpainting", {"image": PICTURE, "mask_image": Image.new("L", (SIDE, SIDE), 255)}),
    ],
)
def test_tasks_equal_diffusers(pipe, task, call):
    pipeline_class = getattr(diffusers, class_for_task(STABLE_DIFFUSION, task))
    other = pipeline_class(**pipe.components, requires_safety_checker=False)
    other.set_progress_bar_config(disable=True)
    theirs = latents(other, "a cat", negative_prompt="blurry", **call)
    ours = latents(attach(other), "a cat", negative_prompt="blurry", **call)

    assert torch.equal(ours, theirs)
    assert not torch.equal(latents(other, "a (cat:1.3)", negative_prompt="blurry", **call), ours)


def test_controlnet_equals_diffusers(pipe):
    control = ControlNetModel.from_unet(
        pipe.unet, conditioning_embedding_out_channels=(8, 16)
    ).eval()
    with torch.no_grad():  # a new ControlNet's last layers are zero, and its prompt without effect
        for block in (*control.controlnet_down_blocks, control.controlnet_mid_block):
            torch.nn.init.normal_(block.weight, std=0.1)
    other = StableDiffusionControlNetPipeline(
        **pipe.components, controlnet=control, requires_safety_checker=False
    )
    other.set_progress_bar_config(disable=True)
    theirs = latents(other, "a cat", image=PICTURE, width=SIDE, height=SIDE)
    ours = latents(attach(other, clip_skip=1), "a cat", image=PICTURE, width=SIDE, height=SIDE)

    assert torch.equal(ours, theirs)
    skipped = latents(other, "a cat", image=PICTURE, width=SIDE, height=SIDE, clip_skip=2)
    assert not torch.equal(skipped, ours)


def test_names():
    assert family_named("StableDiffusionInpaintPipeline") is STABLE_DIFFUSION
    with pytest.raises(PipelineError) as caught:
        family_named("StableDiffusionControlNetPipeline")
    assert str(caught.value) == (
        "StableDiffusionControlNetPipeline is none of the pipelines that are built here: "
        "Stable Diffusion 1.x/2.x, Stable Diffusion XL.\n"
        "Load it with diffusers, then attach(pipe)."
    )
    with pytest.raises(UnknownNameError, match="no task 'inpaint'"):
        class_for_task(STABLE_DIFFUSION, "inpaint")
