"""Pipelines that share models draw prompts over time in several threads."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from diffusers import StableDiffusionPipeline
from torch import nn

from clipcond import attach
from clipcond.pipelines.steps.hooks import Hooks
from tests.pipelines.models import latents, tiny_sd

PROMPTS = ("a cat AND dog", "a [cat|dog]", "a fox", "an owl (red:1.2)")


class Owner:
    """Doubles what a module reads."""

    def before(self, module, args, kwargs):
        return tuple(2 * each for each in args), kwargs

    def after(self, module, output):
        return output


def test_hooks_that_another_thread_removes_in_a_call_do_nothing():
    module, x, owner = nn.Linear(3, 2), torch.ones(1, 3), Owner()
    plain, doubled = module(x), module(2 * x)
    hooks = Hooks(module, owner)
    assert torch.equal(module(x), doubled)

    def remove(module, args):
        hooks.remove()

    module.register_forward_pre_hook(remove, prepend=True)
    assert torch.equal(module(x), plain)


def sharing(pipe):
    other = StableDiffusionPipeline(**pipe.components, requires_safety_checker=False)
    other.set_progress_bar_config(disable=True)
    attach(other, clip_skip=2)
    other.conditioner = pipe.conditioner
    other.scheduler = copy.deepcopy(pipe.scheduler)
    return other


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::clipcond.errors.ClipcondWarning")
def test_threads_draw_what_one_draws():
    pipes = [attach(tiny_sd(), clip_skip=2)]
    pipes += [sharing(pipes[0]) for _ in PROMPTS[1:]]
    pairs = list(zip(pipes, PROMPTS, strict=True))
    expected = [latents(pipe, prompt, num_inference_steps=6) for pipe, prompt in pairs]

    wrong = []
    with ThreadPoolExecutor(len(pipes)) as pool:
        for _ in range(20):
            futures = [pool.submit(latents, *each, num_inference_steps=6) for each in pairs]
            for future, own, prompt in zip(futures, expected, PROMPTS, strict=True):
                failed = future.exception() is not None
                if failed or not torch.equal(future.result(), own):
                    wrong.append((prompt, future.exception()))

    assert not wrong
    assert not pipes[0].unet._forward_pre_hooks
