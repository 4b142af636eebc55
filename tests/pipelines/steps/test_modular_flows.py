"""Prompts over time in modular pipelines, against those of SDXL's own pipeline."""

import contextlib
import logging

import diffusers
import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.modular_pipelines import SequentialPipelineBlocks
from diffusers.modular_pipelines.stable_diffusion_xl.modular_blocks_stable_diffusion_xl import (
    StableDiffusionXLCoreDenoiseStep as DENOISE,
)

from clipcond import attach, detach
from clipcond.errors import PipelineError
from clipcond.pipelines.modular import ClipcondTextStep, ClipcondXLTextStep
from clipcond.pipelines.steps.calls import at_end
from tests.pipelines.models import SIDE, seeded, tiny_sd, tiny_sdxl
from tests.pipelines.steps.loops import distance
from tests.pipelines.steps.test_hooks import n_hooks

# diffusers' schedulers make arrays of tensors in a way that numpy 2 warns of
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array:DeprecationWarning", "ignore:.* never changes while denoising"
)

GUIDANCE = 5.0
NEGATIVE = "[grey:red:1] sky"


def modular(stock, scheduler, **choices):
    blocks = SequentialPipelineBlocks.from_blocks_dict(
        {
            "text_encoder": ClipcondXLTextStep(**choices),
            "denoise": DENOISE(),
        }
    )
    pipe = blocks.init_pipeline()
    parts = {n: part for n, part in stock.components.items() if n in pipe.components}
    guider = diffusers.ClassifierFreeGuidance(guidance_scale=GUIDANCE)
    pipe.update_components(**{**parts, "scheduler": scheduler, "guider": guider})
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw(pipe, prompt, **call):
    call = {"num_inference_steps": 4, "generator": seeded(), "height": SIDE, "width": SIDE, **call}
    return pipe(prompt=prompt, **{"output": "latents", **call})


@pytest.mark.parametrize("name", ["DDIMScheduler", "EulerDiscreteScheduler"])
def test_as_in_the_pipeline(name):
    stock = tiny_sdxl()
    pipe = modular(stock, getattr(diffusers, name)())
    attach(stock).scheduler = getattr(diffusers, name)()
    for prompt in ("a [cat:dog:0.4] on [sand|ice]", "a cat :0.7 AND a [red:blue:0.5] dog :0.4"):
        for negative in (None, NEGATIVE)[name == "EulerDiscreteScheduler" :]:
            ours = draw(pipe, prompt, negative_prompt=negative)
            theirs = stock(
                prompt,
                negative_prompt=negative,
                num_inference_steps=4,
                generator=seeded(),
                output_type="latent",
                guidance_scale=GUIDANCE,
                height=SIDE,
                width=SIDE,
            ).images
            assert n_hooks(pipe.unet) == 0
            assert distance(ours, theirs) < 1e-4 * max(1.0, float(theirs.abs().max()))
    detach(stock)
    whole = draw(pipe, "c", negative_prompt="x")
    assert n_hooks(pipe.unet) == 0
    assert torch.equal(draw(pipe, "c AND d :0", negative_prompt="x"), whole)
    assert torch.equal(draw(pipe, "[c:d:99]", negative_prompt="x"), whole)


class _Breaks(DDIMScheduler):
    n_left = 2

    def step(self, *args, **kwargs):
        self.n_left -= 1
        if not self.n_left:
            raise RuntimeError("it broke")
        return super().step(*args, **kwargs)


def test_hooks_are_there_while_it_draws(monkeypatch):
    """They go with the call: also if it fails, and if the state of it is kept."""
    logger = logging.getLogger("diffusers.modular_pipelines.modular_pipeline")
    monkeypatch.setattr(logger, "disabled", True)  # pytest keeps what it logs, tracebacks too
    pipe = modular(tiny_sdxl(), _Breaks())
    counts = []
    pipe.unet.register_forward_pre_hook(lambda *_: counts.append(n_hooks(pipe.unet)))
    with contextlib.suppress(RuntimeError):
        draw(pipe, "[a|b]")
    assert n_hooks(pipe.unet) == 1
    pipe.update_components(scheduler=DDIMScheduler())
    drawn = draw(pipe, "[a|b]")
    state = draw(pipe, "[a|b]", output=None)
    assert n_hooks(pipe.unet) == 1
    assert torch.equal(state.get("latents"), drawn)
    assert min(counts) > 1


class _Calls:
    def __call__(self, *inner, size=1, **more):
        at_end(self, self.ends.append)
        for each in inner:
            each()
        assert not self.ends


def test_the_end_of_a_call_is_that_of_the_outermost():
    pipe, other = _Calls(), _Calls()
    pipe.ends, other.ends = [], []
    pipe(pipe, other, steps=3)
    assert (pipe.ends, other.ends) == ([pipe], [other])
    at_end(pipe, pipe.ends.append)
    assert len(pipe.ends) == 1


@pytest.mark.slow
def test_a_batch_or_several_pictures():
    """Not both at once: diffusers' blocks mix up the pooled vectors of prompts then."""
    pipe = modular(tiny_sdxl(), diffusers.DDIMScheduler())
    prompts = ["a [cat:dog:0.3]", "a cat", "[a|b] fox AND b :0.2"]
    alone = [draw(pipe, prompt)[0] for prompt in prompts]
    together = draw(pipe, prompts, generator=[seeded() for _ in prompts])
    twice = draw(pipe, prompts[2], generator=[seeded(), seeded()], num_images_per_prompt=2)

    pairs = [*zip(together, alone, strict=True), *((each, alone[2]) for each in twice)]
    assert len(pairs) == 5
    assert all(distance(*pair) < 1e-3 for pair in pairs)


def test_a_text_block_alone_refuses():
    for step, stock in ((ClipcondTextStep(), tiny_sd()), (ClipcondXLTextStep(), tiny_sdxl())):
        pipe = SequentialPipelineBlocks.from_blocks_dict({"text_encoder": step}).init_pipeline()
        parts = {n: part for n, part in stock.components.items() if n in pipe.components}
        pipe.update_components(**parts)
        with pytest.raises(PipelineError, match=r"cannot draw .*: it has no model that draws"):
            pipe(prompt="[a|b]")
        pipe(prompt="a (b:1.2)")
