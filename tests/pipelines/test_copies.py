"""Copies of an attached pipeline encode with their own text encoder."""

import copy
import pickle

import pytest
import torch
from diffusers import StableDiffusionPipeline

from clipcond import Conditioner, attach, detach
from clipcond.towers import OpenAIClipTower
from tests.pipelines.models import tiny_sd, tiny_sdxl

PROMPT = "a (red:1.3) cat"


def encoded(pipe):
    return pipe.encode_prompt(
        PROMPT, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False
    )[0]


def fresh(pipe):
    return Conditioner(OpenAIClipTower(pipe.text_encoder, pipe.tokenizer))(PROMPT).embeds


def other_encoder(pipe):
    encoder = copy.deepcopy(pipe.text_encoder)
    encoder.get_input_embeddings().weight.data.mul_(0.5)
    return encoder


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_encodes_with_its_own_encoder(make):
    pipe = attach(tiny_sd())
    before = encoded(pipe)
    twin = make(pipe)
    assert type(twin) is type(pipe)
    assert isinstance(twin, StableDiffusionPipeline)
    assert torch.equal(encoded(twin), before)

    twin.text_encoder = other_encoder(pipe)

    assert torch.equal(encoded(twin), fresh(twin))
    assert not torch.equal(encoded(twin), before)
    assert torch.equal(encoded(pipe), before)
    assert twin.conditioner is not pipe.conditioner


def test_the_first_may_be_changed_or_detached_instead():
    pipe = attach(tiny_sd(), clip_skip=2)
    before = encoded(pipe)
    twin = copy.copy(pipe)

    pipe.text_encoder = other_encoder(pipe)

    assert torch.equal(encoded(twin), before)
    assert not torch.equal(encoded(pipe), before)
    detach(pipe)
    assert torch.equal(encoded(twin), before)
    assert detach(twin) is twin
    assert "encode_prompt" not in vars(twin)


def test_a_copy_outlives_the_first_and_copies_of_copies_work():
    pipe = attach(tiny_sd())
    before = encoded(pipe)
    twin = copy.copy(copy.copy(pipe))
    del pipe

    assert torch.equal(encoded(twin), before)


def test_a_copy_may_be_attached_to_other_choices():
    pipe = attach(tiny_sd())
    twin = attach(copy.copy(pipe), clip_skip=2)

    assert (pipe.conditioner.clip_skip, twin.conditioner.clip_skip) == (1, 2)
    assert not torch.equal(encoded(twin), encoded(pipe))


def test_a_pair_of_encoders():
    pipe = attach(tiny_sdxl())
    before = encoded(pipe)
    twin = copy.copy(pipe)
    twin.text_encoder_2 = copy.deepcopy(pipe.text_encoder_2)
    twin.text_encoder_2.get_input_embeddings().weight.data.mul_(0.5)

    assert not torch.equal(encoded(twin), before)
    assert torch.equal(encoded(pipe), before)


def test_other_copies_and_stock_pipelines_are_as_before():
    attach(tiny_sd())
    stock = tiny_sd()
    twin = copy.copy(stock)
    assert vars(twin).keys() == vars(stock).keys()
    assert twin.unet is stock.unet

    pipe = attach(tiny_sd())
    loaded = pickle.loads(pickle.dumps(pipe))
    assert torch.equal(encoded(loaded), encoded(pipe))
    assert loaded.encode_prompt.pipe is loaded


def test_an_argument_of_encode_prompt_counts_after_a_call_that_failed():
    pipe = attach(tiny_sd())
    expected = pipe.encode_prompt("a cat", "cpu", 1, False)[0]
    with pytest.raises(TypeError):
        pipe("a cat", guidance_scale=None, num_inference_steps=1)

    assert torch.equal(pipe.encode_prompt("a cat", "cpu", 1, False)[0], expected)
