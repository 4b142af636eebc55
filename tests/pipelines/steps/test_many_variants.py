"""Prompts with hundreds of texts: text models get them in batches that are bounded."""

import pytest
import torch

from clipcond import attach
from clipcond.conditioning import cache
from clipcond.pipelines.families import stable_diffusion_3
from tests.pipelines import zoo
from tests.pipelines.models import latents, tiny_sd

pytestmark = pytest.mark.filterwarnings("ignore:.* alternates in vain")  # in two steps

N = 200
MANY = f"a [{'|'.join(f'cat {i}' for i in range(N))}]"


def drawn(pipe, model):
    """Two steps of a schedule that is planned for 200; how many texts each call of a model had."""
    n_rows = []
    handle = model.register_forward_pre_hook(
        lambda module, args, kwargs: n_rows.append(len((*args, *kwargs.values())[0])),
        with_kwargs=True,
    )
    pipe.scheduler.set_timesteps(N)
    found = latents(pipe, MANY)
    handle.remove()
    return found, n_rows


def test_the_tower(monkeypatch):
    at_once, pipe = 7, attach(tiny_sd())
    expected, n_rows = drawn(pipe, pipe.text_encoder)
    assert sum(n_rows) == N + 1  # and the negative
    width = pipe.conditioner.towers[0].width
    monkeypatch.setattr(cache, "BATCH_BYTES", at_once * 77 * width * 4 * cache.ACTIVATIONS)
    pipe = attach(tiny_sd())
    found, n_rows = drawn(pipe, pipe.text_encoder)

    assert max(n_rows) == at_once
    assert sum(n_rows) == N + 1
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_t5():
    pipe = attach(zoo.make("StableDiffusion3Pipeline"))
    found, n_rows = drawn(pipe, pipe.text_encoder_3)

    assert max(n_rows) == stable_diffusion_3.T5_AT_ONCE
    assert sum(n_rows) == 2 * N  # each with its negative
    assert torch.equal(found, latents(pipe, "a [cat 0|cat 1]"))
