"""What tests of tracing share: a traced call, and comparisons."""

import torch

from clipcond.pipelines import trace
from clipcond.pipelines.steps import STEPS, WATCHERS
from tests.pipelines.models import latents

ATOL = 1e-5


def seen_of(pipe, prompt="a cat", *, call=None, **choices):
    with trace(pipe, **choices) as seen:
        latents(pipe, prompt, **(call or {}))
    return seen


def near(one, other):
    return torch.allclose(one.values, other.values, rtol=0, atol=ATOL)


def state(pipe):
    """What hooks and attributes there are, on the pipeline and on all modules of its UNet."""
    hooks = [
        (len(m._forward_hooks), len(m._forward_pre_hooks), sorted(vars(m)))
        for m in pipe.unet.modules()
    ]
    processor_ids = [id(each) for each in pipe.unet.attn_processors.values()]
    return hooks, processor_ids, sorted(vars(pipe)), pipe in STEPS, pipe in WATCHERS
