"""Numbers of a call that would draw nothing, or noise, are refused before anything is drawn."""

import math

import numpy as np
import pytest
import torch

from clipcond import attach
from clipcond.errors import ArgumentError
from tests.pipelines import zoo
from tests.pipelines.models import latents, tiny_sd

NAN, INF = math.nan, math.inf


@pytest.fixture(scope="module")
def pipe():
    return attach(tiny_sd())


@pytest.mark.parametrize(
    "number",
    [
        {"guidance_scale": NAN},
        {"guidance_scale": INF},
        {"guidance_scale": np.float64("nan")},
        {"guidance_rescale": NAN},
        {"eta": -INF},
        {"prompt": "[cat:dog:0.5]", "guidance_scale": NAN},
    ],
)
def test_no_finite_number(pipe, number):
    (name, value) = [*number.items()][-1]
    with pytest.raises(ArgumentError) as caught:
        latents(pipe, **{"prompt": "a cat", **number})
    assert str(caught.value) == f"{name}={value!r} is no finite number"
    assert latents(pipe, prompt="a cat").isfinite().all()


@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps(pipe, steps):
    with pytest.raises(ArgumentError, match=rf"num_inference_steps={steps}: a picture takes 1"):
        latents(pipe, prompt="a cat", num_inference_steps=steps)
    own = {"timesteps": None, "num_inference_steps": 1}
    assert latents(pipe, prompt="a cat", **own).isfinite().all()


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("StableDiffusionImg2ImgPipeline", {"strength": NAN}),
        ("StableDiffusionControlNetPipeline", {"controlnet_conditioning_scale": NAN}),
        ("StableDiffusionXLPAGPipeline", {"pag_scale": NAN}),
    ],
)
def test_numbers_of_other_classes(name, number):
    pipe = attach(zoo.make(name))
    with pytest.raises(ArgumentError, match="is no finite number"):
        zoo.draw(pipe, name, prompt="a cat", **number)


def test_outside_of_a_call_nothing_is_checked(pipe):
    guidance_scale = NAN  # of somebody else's function
    assert torch.isfinite(pipe.encode_prompt("a cat", None, 1, False)[0]).all(), guidance_scale
