"""AltDiffusion: diffusers' own XLM-RoBERTa, first and later models, as diffusers reads them."""

import pytest
import torch

from clipcond import attach
from tests.pipelines.models import latents
from tests.pipelines.zoo import make
from tests.pipelines.zoo_models import roberta


def pipeline(later):
    pipe = make("AltDiffusionPipeline")
    pipe.text_encoder = roberta(later)
    return pipe


@pytest.mark.parametrize("later", [False, True])
def test_both_kinds_are_read_as_diffusers_does(later):
    pipe = pipeline(later)
    theirs = pipe.encode_prompt("a cat", "cpu", 1, True, "dog")
    drawn_by_them = latents(pipe, "a cat", negative_prompt="dog")
    attach(pipe, clip_skip=1)
    ours = pipe.encode_prompt("a cat", "cpu", 1, True, "dog")

    assert all(map(torch.equal, ours, theirs))
    assert torch.equal(latents(pipe, "a cat", negative_prompt="dog"), drawn_by_them)
    weighted = pipe.encode_prompt("a (cat:1.3)", "cpu", 1, True, "dog")
    assert not torch.equal(weighted[0], ours[0])
    assert torch.equal(weighted[1], ours[1])
    long = pipe.encode_prompt("a cat " * 60, "cpu", 1, True, "dog")
    assert long[0].shape == long[1].shape
    assert long[0].shape[1] > 77
    deeper = pipe.encode_prompt("a cat", "cpu", 1, True, "dog", clip_skip=3)
    assert not torch.equal(deeper[0], ours[0])
