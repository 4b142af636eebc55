"""A model that cannot do a task is refused where it is built, not where it draws."""

import diffusers
import pytest
import torch
from PIL import Image

from clipcond import build_pipeline
from clipcond.errors import PipelineError, UnknownNameError
from tests.pipelines.models import SIDE, WIDTH, seeded, tiny_sd, unet_of
from tests.pipelines.zoo_parts import drawn

PICTURE = Image.new("RGB", (SIDE, SIDE), "red")
MASK = Image.new("L", (SIDE, SIDE), 255)
CALLS = {
    "text2image": {},
    "image2image": {"image": PICTURE},
    "inpainting": {"image": PICTURE, "mask_image": MASK},
}


def saved(pipe, folder):
    pipe.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("n_channels", "tasks"), [(4, set(CALLS)), (9, {"inpainting"}), (8, set()), (5, set())]
)
def test_each_task_is_built_or_refused(tmp_path, n_channels, tasks):
    parts = {"unet": drawn(lambda: unet_of(WIDTH, in_channels=n_channels))}
    folder = saved(tiny_sd(**parts), tmp_path)
    for task, call in CALLS.items():
        if task in tasks:
            pipe = build_pipeline(folder, task=task)
            call = {**call, "num_inference_steps": 2, "generator": seeded(), "output_type": "np"}
            assert pipe("a cat", height=SIDE, width=SIDE, **call).images.shape == (1, SIDE, SIDE, 3)
            continue
        with pytest.raises(PipelineError, match=f"its UNet reads {n_channels} channels") as caught:
            build_pipeline(folder, task=task)
        remedy = "Say task='inpainting'" if tasks else "Open it with the class of diffusers"
        assert remedy in str(caught.value)


def test_inpainting_with_a_usual_unet_equals_diffusers(tmp_path):
    call = {**CALLS["inpainting"], "num_inference_steps": 2, "output_type": "latent"}
    call |= {"height": SIDE, "width": SIDE}
    stock = diffusers.StableDiffusionInpaintPipeline.from_pipe(tiny_sd())
    theirs = stock("a cat", generator=seeded(), **call).images
    pipe = build_pipeline(saved(tiny_sd(), tmp_path), task="inpainting")

    assert torch.equal(pipe("a cat", generator=seeded(), **call).images, theirs)


def test_the_embedded_model():
    with pytest.raises(PipelineError) as caught:
        build_pipeline(task="inpainting")
    assert str(caught.value) == (
        "'embedded' cannot be used for inpainting: its UNet reads 8 channels, and diffusers' "
        "StableDiffusionInpaintPipeline needs 4 or 9.\n"
        "Say task='text2image' or 'image2image', or take another model."
    )
    for task, known in (("inpaint", "inpainting"), ("img2img", "image2image")):
        with pytest.raises(UnknownNameError, match=f"no task '{task}'. Did you mean '{known}'?"):
            build_pipeline(task=task)
