"""AND against A1111's formula written by hand.

In float64 the two agree to 1e-10, so what is between them in float32 is rounding: the formula is
summed up in another order, and guidance and further steps enlarge the difference.
"""

import diffusers
import pytest
import torch

from clipcond import attach, compose
from tests.pipelines.models import latents, seeded, tiny_sd, tiny_sdxl
from tests.pipelines.steps.loops import a1111, distance, drawn

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array:DeprecationWarning", "ignore:nothing is behind AND"
)

PROMPTS = [
    "a cat AND a dog",
    "a cat :0.7 AND a [red:blue:0.5] dog :0.4",
    "a cat :1.2 AND a dog :-0.4 AND snow :0.1",
    "a cat AND",
    "[a|b] :0.5 AND c",
]


@pytest.fixture(scope="module")
def pipe():
    return attach(tiny_sd(scheduler=diffusers.EulerDiscreteScheduler(steps_offset=1)))


@pytest.mark.parametrize("prompt", PROMPTS)
def test_and_equals_the_formula(pipe, prompt):
    ours = drawn(pipe, prompt, "[grey|red]")
    theirs = a1111(pipe, prompt, "[grey|red]", parts=compose(prompt))

    assert distance(ours, theirs) < 1e-4 * max(1.0, float(theirs.abs().max()))


def test_and_equals_the_formula_in_float64():
    scheduler = diffusers.EulerDiscreteScheduler(steps_offset=1)
    pipe = attach(tiny_sd(scheduler=scheduler).to(torch.float64))
    for prompt in PROMPTS[1:3]:
        ours = drawn(pipe, prompt, "grey")

        assert ours.dtype == torch.float64
        theirs = a1111(pipe, prompt, "grey", parts=compose(prompt))
        assert distance(ours, theirs) < 1e-10 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize("make", [tiny_sd, tiny_sdxl])
@pytest.mark.parametrize("guidance", [1.0, 7.5])
def test_parts_of_one_text_are_that_text(make, guidance):
    pipe = attach(make())
    call = {"num_inference_steps": 3, "guidance_scale": guidance}
    whole = latents(pipe, "c", **call)

    assert distance(latents(pipe, "c :0.3 AND c :0.7", **call), whole) < 2e-5
    assert torch.equal(latents(pipe, "c AND d :0", **call), whole)
    assert torch.equal(latents(pipe, "d :0 AND c", **call), whole)
    assert distance(latents(pipe, "c AND d :0.5", **call), whole) > 1e-3


def test_without_guidance_the_rest_is_the_negative(pipe):
    """Weights that do not sum up to 1 take the missing of the negative, at guidance 1 too."""
    ours = drawn(pipe, "c :0.4", "x", guidance_scale=1.0)
    assert torch.equal(ours, drawn(pipe, "c :0.4", "x", guidance_scale=1.0))
    for prompt in ("c :0.4 AND d :0.3", "c :0 AND d :0.5"):
        ours = drawn(pipe, prompt, "x", guidance_scale=1.0)
        theirs = a1111(pipe, prompt, "x", guidance=1.0, parts=compose(prompt))

        # latents are some hundreds here: this is rounding
        assert distance(ours, theirs) < 1e-5 * max(1.0, float(theirs.abs().max()))


@pytest.mark.filterwarnings("ignore:all conditions have the weight 0")
def test_weights_of_zero_leave_the_negative(pipe):
    ours = drawn(pipe, "c :0 AND d :0", "x")

    assert torch.equal(ours, drawn(pipe, "x", "x", guidance_scale=7.5))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* never changes while denoising")
def test_a_batch_whose_prompts_have_other_parts(pipe):
    """Each picture, of its own noise, as if it were alone; a batch rounds otherwise."""
    prompts = ["[a|b] :0.5 AND c :-0.3 AND d :0.4", "a cat", "a cat AND [red:blue:1] dog :0.6"]
    negatives, n = ["grey", "[x:y:1]", "snow AND ice"], 2
    generators = [seeded(k) for _ in prompts for k in range(n)]
    call = {"n_steps": 3, "generator": generators, "num_images_per_prompt": n}
    together = iter(drawn(pipe, prompts, negatives, **call))

    for prompt, negative in zip(prompts, negatives, strict=True):
        for k in range(n):
            alone = drawn(pipe, prompt, negative, n_steps=3, generator=seeded(k))
            far = distance(next(together), alone[0])
            assert far < 1e-5 * max(1.0, float(alone.abs().max())), (prompt, k)
