"""AltDiffusion: diffusers' own XLM-RoBERTa, first and later models, as diffusers reads them."""

import copy

import pytest
import torch
from diffusers import AltDiffusionPipeline
from diffusers.pipelines.deprecated.alt_diffusion.modeling_roberta_series import (
    RobertaSeriesConfig,
    RobertaSeriesModelWithTransformation,
)

from clipcond import attach
from tests.pipelines.models import WIDTH, latents, tiny_sd
from tests.pipelines.zoo_parts import drawn
from tests.towers.alt import tokenizer


def pipeline(later):
    config = RobertaSeriesConfig(
        vocab_size=len(tokenizer()),
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=80,
        project_dim=WIDTH,
        has_pre_transformation=later,
    )
    parts = tiny_sd().components
    parts |= {
        "text_encoder": drawn(lambda: RobertaSeriesModelWithTransformation(config)),
        "tokenizer": copy.deepcopy(tokenizer()),  # others share it
        "image_encoder": None,
    }
    pipe = AltDiffusionPipeline(**parts, requires_safety_checker=False)
    pipe.tokenizer.model_max_length = 77
    pipe.set_progress_bar_config(disable=True)
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
