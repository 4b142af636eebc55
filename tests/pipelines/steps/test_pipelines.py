"""Prompts over time and AND in other pipelines than text-to-image."""

import copy
import warnings

import diffusers
import pytest
import torch

from clipcond import attach
from tests.pipelines import zoo, zoo_parts
from tests.pipelines.features import ip_adapter_weights
from tests.pipelines.models import WIDTH, latents, tiny_sd, tiny_sdxl, unet_of
from tests.pipelines.steps.loops import distance
from tests.pipelines.steps.stubs import Recorder

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array:DeprecationWarning", "ignore:.* never changes while denoising"
)

NAMES = [
    "StableDiffusionImg2ImgPipeline",
    "StableDiffusionInpaintPipeline",
    "StableDiffusionControlNetPipeline",
    "StableDiffusionAdapterPipeline",
    "StableDiffusionPAGPipeline",
    "StableDiffusionSAGPipeline",
    "StableDiffusionInstructPix2PixPipeline",
    "LatentConsistencyModelPipeline",
    "AnimateDiffPipeline",
    "TextToVideoSDPipeline",
    "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLControlNetPipeline",
    "StableDiffusionXLPAGPipeline",
    "StableDiffusion3Pipeline",
    "CycleDiffusionPipeline",
    "WuerstchenPriorPipeline",
]


FAST = ("StableDiffusionXLImg2ImgPipeline", "StableDiffusionXLPAGPipeline")
EACH = [pytest.param(name, marks=[pytest.mark.slow] * (name not in FAST)) for name in NAMES]


@pytest.mark.parametrize("name", EACH)
def test_parts_and_edits(name):
    pipe = attach(zoo.make(name))
    if name.startswith("LatentConsistency"):  # its UNet reads the guidance
        pipe.unet = zoo_parts.drawn(lambda: unet_of(WIDTH, time_cond_proj_dim=16))

    def draw(prompt):
        return zoo.draw(pipe, name, prompt=prompt, num_inference_steps=3)

    cat = draw("cat")

    assert distance(draw("cat :0.3 AND cat :0.7"), cat) < 3e-5 * max(1, float(cat.abs().max()))
    assert torch.equal(draw("[cat:dog:9] AND dog :0"), cat)
    mixed, edited = draw("cat AND dog :0.5"), draw("[cat:dog:1]")
    assert not torch.equal(mixed, cat)
    assert not torch.equal(edited, cat)


@pytest.mark.parametrize("guess", [False, True])
def test_controlnets_give_each_part_its_own(guess):
    """Parts that are drawn one by one, mixed by hand after one step."""
    name = "StableDiffusionControlNetPipeline"
    pipe = attach(zoo.make(name))

    def draw(prompt, guidance):
        more = {"guess_mode": guess, "guidance_scale": guidance, "num_inference_steps": 1}
        return zoo.draw(pipe, name, prompt=prompt, **more)

    # one step of DDIM is linear in what the UNet predicts: u + g (c - u)
    g = 3.0
    cat, dog, snow = (draw(text, g) for text in ("cat", "dog", "snow"))
    mixed = draw("cat :0.5 AND dog :0.7 AND snow :-0.2", g)

    assert distance(mixed, 0.5 * cat + 0.7 * dog - 0.2 * snow) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("guess", [False, True])
def test_several_controlnets_give_each_part_their_own(guess):
    """As above, of two ControlNets with weights of their own."""
    pipe = zoo.make("StableDiffusionControlNetPipeline")
    both = diffusers.MultiControlNetModel([pipe.controlnet, copy.deepcopy(pipe.controlnet)])
    parts = {**pipe.components, "controlnet": both, "requires_safety_checker": False}
    pipe = attach(type(pipe)(**parts))
    pipe.set_progress_bar_config(disable=True)
    call = {"image": [zoo.PICTURE] * 2, "controlnet_conditioning_scale": [0.7, 0.4]}
    call |= {"guess_mode": guess, "guidance_scale": 3.0, "num_inference_steps": 1}

    cat, dog, snow = (latents(pipe, text, **call) for text in ("cat", "dog", "snow"))
    mixed = latents(pipe, "cat :0.5 AND dog :0.7 AND snow :-0.2", **call)
    assert distance(mixed, 0.5 * cat + 0.7 * dog - 0.2 * snow) < 1e-4


def test_pooled_vectors_change_too():
    pipe = attach(tiny_sdxl())
    seen, forward = [], pipe.unet.forward

    def look(*args, **kwargs):
        seen.append((kwargs["encoder_hidden_states"], kwargs["added_cond_kwargs"]["text_embeds"]))
        return forward(*args, **kwargs)

    pipe.unet.forward = look
    pipe("[cat|dog]", prompt_2="[fox:owl:2]", num_inference_steps=4, output_type="latent")
    texts = [("cat", "fox"), ("cat", "fox"), ("dog", "fox"), ("cat", "owl")]

    assert len(seen) == 4
    for (embeds, pooled), (first, second) in zip(seen, texts, strict=True):
        expected = pipe.conditioner(first, prompts_2=second)
        assert torch.equal(embeds[1:], expected.embeds)
        assert torch.equal(pooled[1:], expected.pooled)


def test_step_count_of_image_to_image():
    """Six steps at strength 0.5: A1111 counts 0, 1, 2; by the schedule they are 3, 4, 5."""
    name = "StableDiffusionImg2ImgPipeline"
    for scheduler in (diffusers.DDIMScheduler(), diffusers.EulerDiscreteScheduler()):
        pipe = zoo.make(name)
        pipe.scheduler = scheduler
        call = {"num_inference_steps": 6, "strength": 0.5}
        cat, dog, to_dog = (
            zoo.draw(attach(pipe), name, prompt=prompt, **call)
            for prompt in ("cat", "dog", "[cat:dog:2]")
        )
        attach(pipe, step_count="schedule")
        assert torch.equal(to_dog, cat)
        assert torch.equal(zoo.draw(pipe, name, prompt="[cat:dog:2]", **call), dog)
        assert not torch.equal(zoo.draw(pipe, name, prompt="[cat:dog:3]", **call), dog)
        assert torch.equal(zoo.draw(pipe, name, prompt="[cat:dog:5]", **call), cat)


@pytest.mark.parametrize("skip_prk_steps", [True, False])
def test_step_count_of_a_schedule_with_timesteps_that_come_twice(skip_prk_steps):
    """Eight steps: by the schedule the first call is at the step that strength names."""
    name = "StableDiffusionImg2ImgPipeline"
    pipe = attach(zoo.make(name), step_count="schedule")
    pipe.scheduler = diffusers.PNDMScheduler(skip_prk_steps=skip_prk_steps)
    pipe.unet = Recorder(pipe.unet)
    cat = pipe.conditioner("cat").embeds[0]
    for strength, start in ((1.0, 0), (0.9, 1), (0.85, 2), (0.75, 2), (0.5, 4)):
        pipe.unet.seen = []
        zoo.draw(
            pipe, name, prompt="[cat:dog:5]", num_inference_steps=8, strength=strength,
            guidance_scale=1.0,
        )  # fmt: skip
        is_cat = [torch.equal(rows[-1], cat) for rows in pipe.unet.seen]
        n_calls = len(pipe.scheduler.timesteps) - start
        assert is_cat == [True] * (6 - start) + [False] * (n_calls - 6 + start), strength


@pytest.mark.parametrize("scheduler", ["DDIM", "EulerDiscrete", "HeunDiscrete", "PNDM"])
def test_edits_that_strength_leaves_no_step_for_are_warned_of(scheduler):
    name = "StableDiffusionImg2ImgPipeline"
    pipe = attach(zoo.make(name))
    choices = {"skip_prk_steps": True} if scheduler == "PNDM" else {}
    pipe.scheduler = getattr(diffusers, f"{scheduler}Scheduler")(**choices)
    pipe.unet = Recorder(pipe.unet)
    dog, found = pipe.conditioner("dog").embeds[0], []
    for strength, step in ((0.5, 1), (0.5, 3), (0.5, "0.5"), (0.5, "0.2"), (0.9, 3), (1.0, 4)):
        pipe.unet.seen = []
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            zoo.draw(
                pipe, name, prompt=f"[cat:dog:{step}]", num_inference_steps=6, strength=strength,
            )  # fmt: skip
        is_warned = any("never changes while denoising" in str(each.message) for each in said)
        is_drawn = any(torch.equal(rows[-1], dog) for rows in pipe.unet.seen)
        assert is_warned == (not is_drawn), (strength, step)
        found.append(is_warned)
    assert len(set(found)) == 2


GO_ON = [
    ("StableDiffusionXLImg2ImgPipeline", diffusers.DDIMScheduler, "a1111"),
    ("StableDiffusionXLImg2ImgPipeline", diffusers.EulerDiscreteScheduler, "a1111"),
    ("StableDiffusionXLImg2ImgPipeline", diffusers.EulerDiscreteScheduler, "schedule"),
    ("StableDiffusionXLImg2ImgPipeline", diffusers.HeunDiscreteScheduler, "a1111"),
    ("StableDiffusionXLImg2ImgPipeline", diffusers.UniPCMultistepScheduler, "a1111"),
    ("StableDiffusionXLInpaintPipeline", diffusers.DDIMScheduler, "a1111"),
]


def texts_of(pipe, **call):
    """The text that each call of a UNet saw, and the picture."""
    if not isinstance(pipe.unet, Recorder):
        unet, pipe.unet = pipe.unet, Recorder(pipe.unet)
        pipe.unet.add_embedding = unet.add_embedding
    pipe.unet.seen = []
    image = latents(pipe, **call)
    return [rows[-1] for rows in pipe.unet.seen], image


@pytest.mark.parametrize("prompt", ["[cat|dog]", "[cat:dog:0.25] AND [fox:owl:0.7] :0.5"])
def test_a_refiner_goes_on_where_the_base_stopped(prompt):
    """The texts of base and refiner are, call by call, those of one run."""
    base, failures = attach(tiny_sdxl()), []
    call = {"prompt": prompt, "num_inference_steps": 8}
    for name, scheduler, step_count in GO_ON:
        refiner = attach(zoo.make(name), step_count=step_count)
        base.scheduler, refiner.scheduler = scheduler(), scheduler()
        more = {"mask_image": zoo.MASK} if "Inpaint" in name else {}
        whole, _ = texts_of(base, **call)
        first, image = texts_of(base, **call, denoising_end=0.5)
        second, _ = texts_of(refiner, **call, **more, image=image, denoising_start=0.5)
        # diffusers splits Heun's pair of calls so that one of them is made twice
        expected = [*whole[: len(first)], *whole[-len(second) :]]
        if len(expected) < len(whole) or not all(map(torch.equal, [*first, *second], expected)):
            failures.append((name, scheduler.__name__, len(first), len(second), len(whole)))
        # the next call of image-to-image starts from 0 again
        third, _ = texts_of(refiner, **call, **more, image=zoo.PICTURE, strength=0.5)
        if step_count == "a1111" and not all(map(torch.equal, third, whole)):
            failures.append((name, "starts from 0"))

    assert not failures


def test_an_unknown_step_count():
    with pytest.raises(ValueError, match="step_count 'sched'"):
        attach(tiny_sd(), step_count="sched")


def test_ip_adapters_ride_along():
    pipe = attach(tiny_sd())
    dim = 8
    pipe.unet._load_ip_adapter_weights(
        [ip_adapter_weights(pipe.unet, dim)], low_cpu_mem_usage=False
    )
    embeds = [torch.randn(2, 1, dim, generator=torch.Generator().manual_seed(1))]

    def draw(prompt):
        return latents(pipe, prompt, ip_adapter_image_embeds=embeds, num_inference_steps=4)

    cat = draw("cat")
    assert distance(draw("cat :0.3 AND cat :0.7"), cat) < 2e-5
    assert torch.equal(draw("[cat:dog:9]"), cat)
    assert not torch.equal(draw("[cat:dog:1]"), cat)
